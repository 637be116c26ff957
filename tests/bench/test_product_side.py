"""What the bench seeds is what the product reads, and what it sends is what the product takes."""

from pathlib import Path

import pytest

from app.cases.files import FileStore
from app.catalog.city import linked_services, load_city
from app.privacy import open_vault
from bench.catalogue import SERVICES, copy_tree, questions
from bench.load import Plan, generate
from bench.operations import OPERATIONS, Issued, Person, product_requests, submissions
from bench.seed import Reader, documents, seed, tokens
from bench.tickets import take_tickets
from tests.harness.product import Api, Sandboxes

PLAIN = [operation for operation in OPERATIONS if operation.key in ("me", "cases", "case")]


@pytest.fixture(scope="module")
async def readers(api: Api) -> list[Reader]:
    return await seed(api.settings.migration_database_url, open_vault(api.settings), 60)


@pytest.fixture(scope="module")
async def people(api: Api, readers: list[Reader]) -> list[Person]:
    fresh = await tokens(api.settings.migration_database_url, open_vault(api.settings), api.settings.issuer, readers)
    return [Person(token, reader.cases) for token, reader in zip(fresh, readers, strict=True)]


@pytest.mark.parametrize("operation", PLAIN, ids=lambda operation: operation.key)
async def test_every_reading_request_is_answered(api: Api, people: list[Person], operation: object) -> None:
    [found] = [each for each in PLAIN if each is operation]
    requests = product_requests(found, people, Issued("", people[0].cases[0], ""))
    outcome = generate(Plan(api.settings.port, requests, seconds=5, warm_up_s=0, connections=2, once=True))
    assert outcome.statuses == {"200": len(requests)}


async def test_seeded_cases_read_as_the_products_own(api: Api, people: list[Person]) -> None:
    async with api.client(people[0].token) as client:
        page = (await client.get("/v1/cases?limit=20")).json()
        case = (await client.get(f"/v1/cases/{people[0].cases[0]}")).json()
    assert len(page["items"]) == 20
    assert len(case["timeline"]) == 10
    assert case["form"]["researcher_type"] == "university"


async def test_tickets_are_given_and_watched(api: Api, people: list[Person], sandboxes: Sandboxes) -> None:
    assert sandboxes.url("antrean_fktp")
    clinic, tickets = await take_tickets(api.url, people[:3])
    issued = Issued("", tickets[0], "", clinic, tickets)
    for operation in (each for each in OPERATIONS if each.key in ("ticket", "clinics")):
        requests = product_requests(operation, people, issued) * 20
        outcome = generate(Plan(api.settings.port, requests, seconds=5, warm_up_s=0, connections=2, once=True))
        assert outcome.statuses == {"200": len(requests)}


async def test_submissions_are_taken(api: Api, readers: list[Reader], people: list[Person]) -> None:
    vault = open_vault(api.settings)
    files = FileStore(api.settings.files_url, api.settings.data_dir / "files", vault)
    used = await documents(
        api.settings.migration_database_url, files, vault, [readers[at % len(readers)].id for at in range(5)]
    )
    plan = Plan(api.settings.port, submissions(people, used), seconds=10, warm_up_s=0, connections=2, once=True)
    outcome = generate(plan)
    assert sum(count for status, count in outcome.statuses.items() if status in ("201", "202")) == 5


def test_the_copied_tree_has_its_services(tmp_path: Path) -> None:
    folder = copy_tree(tmp_path / "tree") / "app" / "catalog" / "cities"
    added = [
        service for service in linked_services(load_city("kediri", folder), folder) if service.slug.startswith("bench-")
    ]
    assert len(added) == SERVICES
    assert len({service.title.id for service in added}) == SERVICES
    assert all(question.startswith(b"GET /v1/services?q=") for question in questions())

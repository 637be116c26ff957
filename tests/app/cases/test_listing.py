"""A citizen's cases page by page, and what another citizen sees of them: nothing."""

import itertools
from typing import Any
from uuid import uuid4

import pytest

from tests.harness.cases import SERVICE, hand_in, new_key, send_pdf
from tests.harness.people import Citizen, People
from tests.harness.tables import Tables, grown

MINE = 7


async def open_draft(citizen: Citizen) -> dict[str, Any]:
    body = {"service": SERVICE, "form": {"kind": "new"}, "draft": True}
    answer = await citizen.post("/v1/cases", body, key=new_key())
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


@pytest.fixture(scope="module")
async def owner(people: People) -> Citizen:
    """A citizen with seven drafts and one case handed in."""
    owner = await people.make()
    for _ in range(MINE):
        await open_draft(owner)
    await hand_in(owner)
    return owner


async def test_newest_first_page_by_page(owner: Citizen) -> None:
    whole = (await owner.get("/v1/cases", limit="100")).json()
    assert whole["next_cursor"] is None
    times = [item["created_at"] for item in whole["items"]]
    assert times == sorted(times, reverse=True)
    walked = await walk(owner, limit="3")
    assert [item["id"] for item in walked] == [item["id"] for item in whole["items"]]
    assert len(walked) == MINE + 1


async def test_no_doubles_and_no_gaps_while_new_ones_arrive(people: People) -> None:
    citizen = await people.make()
    old = [(await open_draft(citizen))["id"] for _ in range(MINE)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await citizen.get("/v1/cases", limit="2", **cursor)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
        await open_draft(citizen)
    assert len(seen) == len(set(seen))
    assert seen == old[::-1]


async def test_a_last_page_that_is_just_full_has_no_next(people: People) -> None:
    citizen = await people.make()
    for _ in range(2):
        await open_draft(citizen)
    page = (await citizen.get("/v1/cases", limit="2")).json()
    assert (len(page["items"]), page["next_cursor"]) == (2, None)


async def test_nobody_has_no_cases(people: People) -> None:
    citizen = await people.make()
    assert (await citizen.get("/v1/cases")).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": "draft"}, MINE),
        ({"status": "submitted"}, 1),
        ({"status": "withdrawn"}, 0),
        ({"service": SERVICE}, MINE + 1),
        ({"service": "research-permit"}, 0),
        ({"service": SERVICE, "status": "draft"}, MINE),
        ({"service": "no-such-service"}, 0),
    ],
)
async def test_filters(owner: Citizen, filters: dict[str, str], expected: int) -> None:
    found = await walk(owner, limit="4", **filters)
    assert len(found) == expected
    assert all(item["status"] == filters.get("status", item["status"]) for item in found)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=many",
        "limit=99999999999999999999",
        "limit=1.5",
        "status=lost",
        "service=Not%20A%20Slug",
        "service=%00",
        "cursor=!",
        "cursor=" + "a" * 600,
        "cursor=W10",
        "cursor=WyIwMTkyIl0",
        "cursor=",
        "cursor=%00",
    ],
)
async def test_a_list_cannot_be_asked_wrongly(owner: Citizen, query: str) -> None:
    answer = await owner.client.get(f"/v1/cases?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in ("parameter_invalid", "cursor_invalid")


async def test_a_cursor_of_somebody_elses_shows_nothing_of_theirs(owner: Citizen, people: People) -> None:
    stranger = await people.make()
    cursor = (await owner.get("/v1/cases", limit="2")).json()["next_cursor"]
    assert (await stranger.get("/v1/cases", cursor=cursor)).json()["items"] == []


ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PATCH", "", {"form": {}}),
    ("POST", "/submit", None),
    ("POST", "/withdraw", {"reason": "x"}),
    ("POST", "/answers", {"answer": "ya"}),
    ("POST", "/rating", {"score": 5}),
    ("GET", "/events", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=str)
@pytest.mark.parametrize("kind", ["draft", "submitted", "missing"])
async def test_another_persons_case_does_not_exist(
    owner: Citizen, people: People, tables: Tables, method: str, path: str, body: Any, kind: str
) -> None:
    stranger = await people.make()
    if kind == "missing":
        case_id = str(uuid4())
    else:
        case_id = (await owner.get("/v1/cases", status=kind, limit="1")).json()["items"][0]["id"]
    before = await tables.counts()
    standing = await tables.rows("SELECT id, status, revision, updated_at FROM cases ORDER BY id")
    answer = await stranger.client.request(
        method, f"/v1/cases/{case_id}{path}", json=body, headers={"If-Match": "*", "Idempotency-Key": new_key()}
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "case_not_found")
    assert owner.person.name not in answer.text
    assert grown(before, await tables.counts()) == {}
    assert await tables.rows("SELECT id, status, revision, updated_at FROM cases ORDER BY id") == standing


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=str)
@pytest.mark.parametrize("token", [None, "not-a-token"])
async def test_nobody_gets_in_without_a_token(
    owner: Citizen, api: Any, tables: Tables, method: str, path: str, body: Any, token: str | None
) -> None:
    case_id = (await owner.get("/v1/cases", limit="1")).json()["items"][0]["id"]
    before = await tables.counts()
    async with api.client(token) as client:
        answer = await client.request(method, f"/v1/cases/{case_id}{path}", json=body)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert grown(before, await tables.counts()) == {}


async def test_anothers_file_cannot_be_read_or_used(owner: Citizen, people: People, tables: Tables) -> None:
    stranger = await people.make()
    file_id = await send_pdf(owner)
    before = await tables.counts()
    read = await stranger.get(f"/v1/attachments/{file_id}")
    body = {"service": SERVICE, "form": {}, "draft": True, "attachments": [file_id]}
    used = await stranger.post("/v1/cases", body, key=new_key())
    assert (read.status_code, read.json()["code"]) == (404, "attachment_not_found")
    assert (used.status_code, used.json()["code"]) == (422, "attachment_not_usable")
    assert grown(before, await tables.counts()) == {}


async def walk(citizen: Citizen, **query: str) -> list[dict[str, Any]]:
    """Every item over all pages."""
    found: list[dict[str, Any]] = []
    for _ in itertools.count():
        page = (await citizen.get("/v1/cases", **query)).json()
        assert len(page["items"]) <= int(query["limit"])
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]
    raise AssertionError

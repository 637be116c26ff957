"""The witness that watches every test run, watched: a route that serves a citizen's data and leaves no row is seen."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from litestar import Litestar, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record
from app.login.guards import CITIZEN, PUBLIC, OfficerRequest, officer
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api, running_api
from tests.harness.witness import Witness, unrecorded

_NAMES: dict[UUID, str] = {}


@get("/v1/officer/planted/{citizen_id:uuid}", opt=officer("operator"))
async def without_a_row(citizen_id: FromPath[UUID]) -> dict[str, str]:
    return {"name": _NAMES[citizen_id]}


@get("/v1/officer/honest/{citizen_id:uuid}", opt=officer("operator"))
async def with_a_row(
    citizen_id: FromPath[UUID], session: NamedDependency[AsyncSession], request: OfficerRequest
) -> dict[str, str]:
    entry = AuditEntry(
        actor_kind="officer",
        actor_id=str(request.user.id),
        action="citizen.read",
        subject_id=citizen_id,
        object_kind="citizen",
        object_id=str(citizen_id),
        purpose="login",
        legal_basis="uu-25-2009",
        fields=("name",),
    )
    await record(session, entry)
    return {"name": _NAMES[citizen_id]}


@get("/planted/{citizen_id:uuid}", opt=PUBLIC)
async def to_anybody(citizen_id: FromPath[UUID]) -> dict[str, str]:
    return {"name": _NAMES[citizen_id]}


@get("/v1/me/planted/{citizen_id:uuid}", opt=CITIZEN)
async def to_themselves(citizen_id: FromPath[UUID]) -> dict[str, str]:
    return {"name": _NAMES[citizen_id]}


@pytest.fixture(scope="module")
def api(environment: dict[str, str]) -> Iterator[Api]:
    """With routes that nobody wrote, and without the fixture's own look at the end."""

    def plant(application: Litestar) -> None:
        for handler in (without_a_row, with_a_row, to_anybody, to_themselves):
            application.register(handler)

    with running_api(environment, plant) as running:
        yield running


async def found(witness: Witness, api: Api) -> list[str]:
    missing = await unrecorded(witness.served, api.settings.database_url)
    witness.served.clear()
    return [each.partition(":")[0] for each in missing]


async def test_a_route_that_leaves_no_row_is_seen(api: Api, people: People, officers: Officers) -> None:
    citizen, at_work = await people.make(), await officers.make()
    _NAMES[citizen.id] = citizen.person.name
    for path, missing in {
        "/v1/officer/planted": ["GET /v1/officer/planted/{citizen_id}"],
        "/v1/officer/honest": [],
        "/planted": ["GET /planted/{citizen_id}"],
    }.items():
        assert (await at_work.get(f"{path}/{citizen.id}")).status_code == 200
        assert await found(api.witness, api) == missing, path
    assert (await citizen.get(f"/v1/me/planted/{citizen.id}")).status_code == 200
    assert await found(api.witness, api) == []


async def test_a_row_about_somebody_else_is_none(api: Api, people: People, officers: Officers) -> None:
    citizen, other, at_work = await people.make(), await people.make(), await officers.make()
    _NAMES[other.id] = citizen.person.name
    assert (await at_work.get(f"/v1/officer/honest/{other.id}")).status_code == 200
    assert await found(api.witness, api) == ["GET /v1/officer/honest/{citizen_id}"]

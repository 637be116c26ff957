"""Every way of every quirk, on every operation: the same values come of it. And what no adapter can make good."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from app.agency_token import KeptToken
from app.errors import AgencyError, AgencyRejected, AgencyUnavailable, AlreadyThere, OutcomeUnknown
from integrations.antrean_fktp.health import AntreanFktpHealth
from integrations.antrean_fktp.sandbox import AntreanFktpSandbox
from services.health.port import TicketRequest
from tests.harness.patients import patient
from tests.integrations.antrean_fktp.conftest import BALOWERTI, SUKORAME, Town, asked, plain, session

# Quirks that change what can be known or done, not how it is said; each has a test of its own.
OWN_TESTS = {"only", "status_version", "zone"}
FAILING = {("status", "broken"), ("token", "always_expired"), ("patients", "none_known")}
WAYS = [
    (name, way)
    for name, ways in AntreanFktpSandbox.quirks.items()
    for way in ways[1:]
    if name not in OWN_TESTS and (name, way) not in FAILING
]
PAIRS = [dict(pair) for pair in itertools.combinations(WAYS, 2) if pair[0][0] != pair[1][0]]
WORST = {
    "envelope": "metaData",
    "code": "text",
    "http": "mirrored",
    "numbers": "text",
    "before": "warnings",
    "token": "one_use",
    "token_refusal": "http_401",
}


async def queues(port: AntreanFktpHealth, request: TicketRequest) -> object:
    return await port.queues(request.session)


async def take(port: AntreanFktpHealth, _request: TicketRequest) -> object:
    ticket = await port.take(asked())
    return msgspec.structs.replace(ticket, reference="", number="", position=0, waiting=0)


async def take_again(port: AntreanFktpHealth, request: TicketRequest) -> object:
    return await code_of(port.take(request))


async def take_nowhere(port: AntreanFktpHealth, _request: TicketRequest) -> object:
    return await code_of(port.take(asked(session(clinic="099"))))


async def take_as_a_stranger(port: AntreanFktpHealth, _request: TicketRequest) -> object:
    """Refused, registered, taken; registered already."""
    new = asked(nik="3571010101759005")
    unknown = await code_of(port.take(new))
    known = await port.register(patient(new)), await code_of(port.register(patient(new)))
    taken = (await port.take(new)).clinic_name
    return unknown, known, taken


async def find(port: AntreanFktpHealth, request: TicketRequest) -> object:
    return await port.find(request), await port.find(asked())


async def place(port: AntreanFktpHealth, request: TicketRequest) -> object:
    return await port.place(request, "x/001/A1")


async def cancel(port: AntreanFktpHealth, request: TicketRequest) -> object:
    """Given back, once more, and one that was called."""
    await port.cancel(request, "", "")
    await port.cancel(request, "", "")
    return await port.find(request)


OPERATIONS = [queues, take, take_again, take_nowhere, take_as_a_stranger, find, place, cancel]
Operation = Callable[[AntreanFktpHealth, TicketRequest], Awaitable[object]]


async def code_of(asking: Awaitable[object]) -> str:
    with pytest.raises(AgencyRejected) as refused:
        await asking
    return refused.value.code


async def outcome(town: Town, operation: Operation, ways: Mapping[str, str]) -> object:
    """What an operation gives in a sandbox with such ways, where one ticket waits behind one that was called."""
    await town.bench.reset()
    first, second = (
        asked(nik="3571024505900001", card_number="0009999999991"),
        asked(nik="3571024505900002", card_number="0009999999992"),
    )
    await town.port.take(first)
    await town.bench.work()
    await town.port.take(second)
    await town.bench.quirks(**ways)
    return await operation(town.another(), second)


@pytest.mark.parametrize("ways", [dict([way]) for way in WAYS] + [WORST], ids=str)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
async def test_no_quirk_changes_what_comes_of_an_operation(
    town: Town, operation: Operation, ways: Mapping[str, str]
) -> None:
    usual = await outcome(town, operation, {})
    assert await outcome(town, operation, ways) == usual


async def test_no_pair_of_quirks_changes_a_ticket(town: Town) -> None:
    usual = [await outcome(town, operation, {}) for operation in (take, take_again, find, place)]
    for ways in PAIRS:
        assert [await outcome(town, operation, ways) for operation in (take, take_again, find, place)] == usual, ways


@pytest.mark.parametrize("version", ["array", "object"])
async def test_both_versions_of_the_status_answer(town: Town, version: str) -> None:
    await town.bench.quirks(status_version=version)
    for port in town.ports.values():
        queues = await port.queues(plain())
        assert all(queue.session.doctor for queue in queues) == (version == "array")
        ticket = await port.take(asked(queues[0].session))
        [queue] = await port.queues(queues[0].session)
        assert (queue.tickets, queue.waiting, ticket.position) == (1, 1, 1)


@pytest.mark.parametrize("zone", ["Asia/Makassar", "Asia/Jayapura"])
async def test_the_day_is_the_facilitys(town: Town, zone: str) -> None:
    """Whoever asks, today over there is the day that counts."""
    await town.bench.quirks(zone=zone)
    today = datetime.now(ZoneInfo(zone)).date()
    with pytest.raises(AgencyRejected) as refused:
        await town.port.queues(plain(day=today.replace(year=today.year - 1)))
    assert refused.value.code == "date_past"
    try:
        assert await town.port.queues(plain(day=today))
    except AgencyRejected as closed:
        assert closed.code == "clinic_closed"  # noqa: PT017 - on a closed day it may say so; not that it is past


async def test_a_facility_that_knows_nobody(town: Town) -> None:
    await town.bench.quirks(patients="none_known")
    request = asked()
    assert await code_of(town.port.take(request)) == "patient_unknown"
    await town.port.register(patient(request))
    assert (await town.port.take(request)).number == "A1"


async def test_an_expired_token_for_ever_is_a_refusal_at_the_door(town: Town) -> None:
    for refusal in ("envelope", "http_401"):
        await town.bench.quirks(token="always_expired", token_refusal=refusal, only=BALOWERTI)
        outcomes = await asyncio.gather(*(town.port.take(asked()) for _ in range(50)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {AgencyUnavailable}
        assert {getattr(outcome, "code", "") for outcome in outcomes} == {"token_refused"}
        assert (await town.ports[SUKORAME].take(asked(plain()))).number
    assert await town.effects(facility=BALOWERTI) == []
    assert town.clients[BALOWERTI].operations.count("token") == KeptToken.MOST_IN_VAIN
    await town.bench.quirks()
    assert (await town.port.take(asked())).number == "A1"


async def test_one_login_for_all_and_one_more_when_the_token_ends(town: Town) -> None:
    operations = town.clients[BALOWERTI].operations
    await asyncio.gather(*(town.port.take(asked()) for _ in range(50)))
    assert operations.count("token") == 1
    # The facility is started anew and knows its tokens no more; the tickets it still has.
    await town.bench.quirks(token="always_expired")
    await asyncio.gather(*(town.port.take(asked()) for _ in range(10)), return_exceptions=True)
    assert operations.count("token") == 2


async def test_wrong_credentials_are_a_refusal_at_the_door(town: Town) -> None:
    backend = town.clients[BALOWERTI].backend
    wrong = {"username": "loket", "password": "wrong"}
    port = town.connected(msgspec.structs.replace(backend, credentials=wrong))
    with pytest.raises(AgencyUnavailable) as refused:
        await port.take(asked())
    assert (refused.value.code, refused.value.detail) == ("login_refused", "Access denied")
    assert "wrong" not in str(refused.value)


async def test_header_names_are_the_facilitys(town: Town) -> None:
    port = town.another(header_token="x-other-token")
    with pytest.raises(AgencyUnavailable):
        await port.queues(plain())
    port = town.another(header_token="X-TOKEN", header_username="X-USERNAME", header_password="X-PASSWORD")
    assert await port.queues(plain())


@pytest.mark.parametrize("mode", ["malformed", "huge_body", "lost_answer"])
@pytest.mark.parametrize("ways", [{}, WORST], ids=["usual", "worst"])
async def test_a_spoilt_answer_with_effect_is_unknown_then_found(
    town: Town, mode: str, ways: Mapping[str, str]
) -> None:
    request = asked()
    await town.bench.quirks(**ways)
    await town.bench.fault(mode, ["take"])
    with pytest.raises(OutcomeUnknown):
        await town.port.take(request)
    await town.bench.heal()
    found = await town.port.find(request)
    assert found is not None
    assert found.number == "A1"
    with pytest.raises(AlreadyThere):
        await town.port.take(request)


@pytest.mark.parametrize("mode", ["hang", "error_500", "error_503", "malformed", "reset", "lost_answer", "bad_auth"])
@pytest.mark.parametrize("operation", ["token", "status", "remaining"])
async def test_a_failing_read_is_unavailable(town: Town, mode: str, operation: str) -> None:
    request = asked()
    port = town.another()
    if operation != "token":
        await port.take(request)
    await town.bench.fault(mode, [operation])
    with pytest.raises(AgencyError) as failed:
        await (port.queues(request.session) if operation == "status" else port.find(request))
    assert isinstance(failed.value, AgencyUnavailable)
    await town.bench.heal()
    assert await port.queues(request.session)

"""Every way of every quirk, on every operation: the same values come of it. And what no adapter can make good."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import pytest

from app.agency_token import KeptToken
from app.errors import AgencyError, AgencyRejected, AgencyUnavailable, OutcomeUnknown
from app.settings import SettingsError
from integrations.antrean_rs.health import AntreanRsHealth
from integrations.antrean_rs.sandbox import AntreanRsSandbox
from services.health.port import TicketRequest
from tests.harness.patients import STRANGER, patient
from tests.integrations.antrean_rs.conftest import Hospital, asked, session

# Quirks that change what can be known or done, not how it is said; each has a test of its own.
OWN_TESTS = {"headers", "zone"}
FAILING = {("status", "broken"), ("token", "always_expired"), ("patients", "none_known"), ("estimate", "none")}
WAYS = [
    (name, way)
    for name, ways in AntreanRsSandbox.quirks.items()
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
    "estimate": "local",
    "token": "one_use",
    "token_refusal": "http_401",
}
OTHER_VENDOR = {
    "header_username": "username",
    "header_password": "password",
    "header_token": "token",
    "path_token": "/api/v2/get-token",
    "path_status": "/api/v2/antrian/status",
    "path_take": "api/v2/antrian/ambil",
    "path_remaining": "api/v2/antrian/sisa",
    "path_cancel": "api/v2/antrian/batal",
    "path_check_in": "api/v2/antrian/checkin",
    "path_register": "api/v2/pasien",
}


async def queues(port: AntreanRsHealth, request: TicketRequest) -> object:
    return await port.queues(request.session)


async def take(port: AntreanRsHealth, _request: TicketRequest) -> object:
    return await port.take(asked(nik="3571024505900003"))


async def take_again(port: AntreanRsHealth, request: TicketRequest) -> object:
    return await code_of(port.take(request))


async def take_nowhere(port: AntreanRsHealth, _request: TicketRequest) -> object:
    return await code_of(port.take(asked(session(clinic="XYZ"))))


async def take_as_a_stranger(port: AntreanRsHealth, _request: TicketRequest) -> object:
    """Refused, registered, registered already, taken."""
    new = asked(nik=STRANGER)
    unknown = await code_of(port.take(new))
    known = await port.register(patient(new)), await code_of(port.register(patient(new)))
    return unknown, known, await port.take(new)


async def place(port: AntreanRsHealth, request: TicketRequest) -> object:
    ticket = await port.take(another_session(request))
    return await port.place(request, ticket.reference), await code_of(port.place(request, "NOBODYS"))


async def cancel(port: AntreanRsHealth, request: TicketRequest) -> object:
    """Given back, once more, and asked after."""
    ticket = await port.take(another_session(request))
    await port.cancel(request, ticket.reference, "")
    await port.cancel(request, ticket.reference, "")
    return await code_of(port.place(request, ticket.reference))


async def check_in(port: AntreanRsHealth, request: TicketRequest) -> object:
    """Told twice, and too late to give the ticket back."""
    ticket = await port.take(another_session(request))
    await port.check_in(request, ticket.reference)
    await port.check_in(request, ticket.reference)
    return await code_of(port.cancel(request, ticket.reference, ""))


OPERATIONS = [queues, take, take_again, take_nowhere, take_as_a_stranger, place, cancel, check_in]
Operation = Callable[[AntreanRsHealth, TicketRequest], Awaitable[object]]


def another_session(request: TicketRequest) -> TicketRequest:
    return msgspec.structs.replace(request, session=session(clinic="ANA", doctor="30201"))


async def code_of(asking: Awaitable[object]) -> str:
    with pytest.raises(AgencyRejected) as refused:
        await asking
    return refused.value.code


async def outcome(hospital: Hospital, operation: Operation, ways: Mapping[str, str]) -> object:
    """What an operation gives in a sandbox with such ways, where one ticket waits behind one that was called."""
    await hospital.bench.reset()
    first, second = asked(nik="3571024505900001"), asked(nik="3571024505900002")
    await hospital.port.take(first)
    await hospital.bench.work()
    await hospital.port.take(second)
    await hospital.bench.quirks(**ways)
    return await operation(hospital.another(), second)


@pytest.mark.parametrize("ways", [dict([way]) for way in WAYS] + [WORST], ids=str)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
async def test_no_quirk_changes_what_comes_of_an_operation(
    hospital: Hospital, operation: Operation, ways: Mapping[str, str]
) -> None:
    usual = await outcome(hospital, operation, {})
    assert await outcome(hospital, operation, ways) == usual


async def test_no_pair_of_quirks_changes_a_ticket(hospital: Hospital) -> None:
    usual = [await outcome(hospital, operation, {}) for operation in (queues, take, take_again, place)]
    for ways in PAIRS:
        assert [await outcome(hospital, operation, ways) for operation in (queues, take, take_again, place)] == usual, (
            ways
        )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
async def test_addresses_and_headers_of_another_vendor(hospital: Hospital, operation: Operation) -> None:
    usual = await outcome(hospital, operation, {})
    await outcome(hospital, queues, {"headers": "usual"})
    await hospital.bench.quirks(headers="other")
    with pytest.raises(AgencyUnavailable):
        await hospital.another().queues(session())
    assert await operation(hospital.another(**OTHER_VENDOR), asked(nik="3571024505900002")) == usual


@pytest.mark.parametrize("path", ["", "/", "../other", "take?x=1", "take#x", "//elsewhere", "take antrean"])
async def test_a_bad_path_is_named_at_start(hospital: Hospital, path: str) -> None:
    with pytest.raises(SettingsError, match="path_take"):
        hospital.another(path_take=path)


async def test_a_wrong_path_is_a_refusal_at_the_door(hospital: Hospital) -> None:
    with pytest.raises(AgencyUnavailable) as missed:
        await hospital.another(path_take="antrean/nowhere").take(asked())
    assert missed.value.code == "not_reached"


@pytest.mark.parametrize("value", ["35:13", "35=", "35=1,nothing"])
async def test_bad_region_codes_are_named_at_start(hospital: Hospital, value: str) -> None:
    with pytest.raises(SettingsError, match="region_codes"):
        hospital.another(region_codes=value)


async def test_a_hospital_that_knows_nobody(hospital: Hospital) -> None:
    await hospital.bench.quirks(patients="none_known")
    request = asked()
    assert await code_of(hospital.port.take(request)) == "patient_unknown"
    await hospital.port.register(patient(request))
    assert (await hospital.port.take(request)).number == "A-001"


@pytest.mark.parametrize("refusal", ["envelope", "http_401"])
async def test_an_expired_token_for_ever_is_a_refusal_at_the_door(hospital: Hospital, refusal: str) -> None:
    await hospital.bench.quirks(token="always_expired", token_refusal=refusal)
    outcomes = await asyncio.gather(*(hospital.port.take(asked()) for _ in range(50)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {AgencyUnavailable}
    assert {getattr(outcome, "code", "") for outcome in outcomes} == {"token_refused"}
    assert await hospital.effects() == []
    assert hospital.client.operations.count("token") <= KeptToken.MOST_IN_VAIN
    await hospital.bench.quirks()
    assert (await hospital.port.take(asked())).number == "A-001"


async def test_wrong_credentials_are_a_refusal_at_the_door(hospital: Hospital) -> None:
    wrong = msgspec.structs.replace(hospital.client.backend, credentials={"username": "loket", "password": "wrong"})
    with pytest.raises(AgencyUnavailable) as refused:
        await hospital.connected(wrong).take(asked())
    assert refused.value.code == "login_refused"
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize("mode", ["malformed", "huge_body", "lost_answer"])
@pytest.mark.parametrize("operation", ["take", "register", "cancel", "check_in"])
async def test_a_spoilt_answer_with_effect_is_unknown(hospital: Hospital, mode: str, operation: str) -> None:
    request = asked(nik=STRANGER)
    port = hospital.port
    if operation in ("cancel", "check_in"):
        await port.register(patient(request))
        reference = (await port.take(request)).reference
    else:
        await port.queues(session())
        reference = ""
    doing: Mapping[str, Callable[[], Awaitable[object]]] = {
        "take": lambda: port.take(asked()),
        "register": lambda: port.register(patient(request)),
        "cancel": lambda: port.cancel(request, reference, ""),
        "check_in": lambda: port.check_in(request, reference),
    }
    await hospital.bench.fault(mode, [operation])
    with pytest.raises(OutcomeUnknown):
        await doing[operation]()
    assert len(await hospital.effects(operation)) == 1


@pytest.mark.parametrize("mode", ["hang", "error_500", "error_503", "malformed", "reset", "lost_answer", "bad_auth"])
@pytest.mark.parametrize("operation", ["token", "status", "remaining"])
async def test_a_failing_read_is_unavailable(hospital: Hospital, mode: str, operation: str) -> None:
    port = hospital.another()
    reference = "" if operation == "token" else (await port.take(asked())).reference
    await hospital.bench.fault(mode, [operation])
    with pytest.raises(AgencyError) as failed:
        await (port.place(asked(), reference) if operation == "remaining" else port.queues(session()))
    assert isinstance(failed.value, AgencyUnavailable)
    await hospital.bench.heal()
    assert await port.queues(session())

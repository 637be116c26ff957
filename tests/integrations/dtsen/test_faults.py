"""The bus's faults, one by one, in each way it writes them: what each is told as, and that nothing is sent again."""

import logging
from xml.sax.saxutils import escape

import msgspec
import pytest
from aiohttp import web

from app.errors import AgencyError, AgencyRejected, AgencyUnavailable, OutcomeUnknown
from app.sandbox.checks import failure
from integrations.dtsen.bus import THROTTLED_S
from tests.integrations.dtsen.conftest import SITI, Adapted, objection, told

# HTTP status, code, and the name it gets: nothing went through, whatever was asked.
NOT_LET_THROUGH = [
    (500, 900900, "bus_failed"),
    (401, 900902, "credentials_missing"),
    (401, 900905, "token_kind_refused"),
    (403, 900906, "resource_unknown"),
    (403, 900907, "api_blocked"),
    (403, 900908, "not_subscribed"),
    (403, 900909, "subscription_inactive"),
    (403, 900910, "scope_missing"),
    (503, 700700, "api_blocked"),
    (403, 900805, "api_blocked"),
    (404, 404, "tenant_unknown"),
    (405, 405, "resource_unknown"),
    (503, 303001, "agency_not_reached"),
    (500, 101503, "agency_not_reached"),
    (502, 101508, "agency_not_reached"),
    *((429, code, "throttled") for code in range(900800, 900808) if code != 900805),
]
TOKEN = [(401, 900901), (401, 900903), (401, 900904)]
# It had spoken to the agency, or may have.
UNSURE = [(504, 101504), (500, 101505), (502, 101500), (500, 999999)]
WAYS = ("bare", "nested", "xml")


def page(way: str, code: int, words: str = "Some <words> & more") -> str:
    told = {"code": code, "type": "Status report", "message": words, "description": f"about {SITI}"}
    if way == "xml":
        inner = "".join(f"<am:{name}>{escape(str(value))}</am:{name}>" for name, value in told.items())
        return f'<?xml version="1.0"?>\n<am:fault xmlns:am="http://wso2.org/apimanager/security">{inner}</am:fault>'
    nested: object = {"fault": told} if way == "nested" else {**told, "code": str(code)}
    return msgspec.json.encode(nested).decode()


async def both(adapted: Adapted) -> list[AgencyError]:
    """The errors of a call that changes nothing and of one that would."""
    return [await failure(asking) for asking in (adapted.port.household_aid(SITI), adapted.port.submit(objection()))]


def calls(adapted: Adapted, below: str = "/t/") -> int:
    return sum(asked.target.startswith(below) for asked in adapted.bus.asked)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "code", "name"), NOT_LET_THROUGH)
async def test_what_was_not_let_through_had_no_effect(
    adapted: Adapted, way: str, status: int, code: int, name: str
) -> None:
    adapted.bus.says(status, page(way, code))
    for error in await both(adapted):
        assert isinstance(error, AgencyUnavailable)
        assert error.code == name
        assert str(code) in error.detail
        assert SITI not in str(error), "a fault page's words are masked"
    # A safe call may be tried once more where a gateway speaks (502, 503); one that changes something never is.
    assert calls(adapted) == (3 if status in (502, 503) else 2)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "code"), TOKEN)
async def test_a_refused_token_is_renewed_once(adapted: Adapted, way: str, status: int, code: int) -> None:
    adapted.bus.says(status, page(way, code))
    read, changed = await both(adapted)
    assert {type(read), type(changed)} == {AgencyUnavailable}
    assert (read.code, changed.code) == ("token_refused", "token_refused")
    assert (calls(adapted), adapted.bus.logins) == (4, 3), "each call twice: with the token in hand, and with a new one"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "code"), UNSURE)
async def test_what_may_have_reached_the_agency_is_unknown(adapted: Adapted, way: str, status: int, code: int) -> None:
    adapted.bus.says(status, page(way, code))
    read, changed = await both(adapted)
    assert isinstance(read, AgencyUnavailable)
    assert isinstance(changed, OutcomeUnknown)
    assert str(code) in changed.detail


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (404, "<h1>Not Found</h1>", AgencyUnavailable, "not_reached"),
        (302, "", AgencyUnavailable, "not_reached"),
        (401, "Unauthorized", AgencyUnavailable, "not_reached"),
        (413, "too large", AgencyRejected, "photo_refused"),
        (200, "<h1>A PHP Error was encountered</h1>", OutcomeUnknown, "unreadable"),
        (500, "<h1>A PHP Error was encountered</h1>", OutcomeUnknown, "backend_failed"),
        (500, '{"sukses": false, "kode": "GALAT_SERVER", "pesan": "x"}', OutcomeUnknown, "backend_failed"),
        (409, '{"sukses": false, "kode": "MASIH_DIPROSES", "pesan": "x"}', AgencyRejected, "matter_open"),
        (422, '{"sukses": false, "kode": "LEWAT_BATAS_SANGGAH", "pesan": "x"}', AgencyRejected, "too_late"),
        (422, '{"sukses": false, "kode": "LAINNYA", "pesan": "Siti Aminah"}', AgencyRejected, "refused"),
        (201, told({"nomor": "../../x"}), OutcomeUnknown, ""),
    ],
)
async def test_answers_of_the_service_and_of_others(
    adapted: Adapted, status: int, body: str, kind: type[AgencyError], code: str
) -> None:
    adapted.bus.says(status, body)
    with pytest.raises(AgencyError) as failed:
        await adapted.port.submit(objection())
    assert (type(failed.value), failed.value.code) == (kind, code)
    assert "Siti" not in str(failed.value)
    assert calls(adapted) == 1


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE f [<!ENTITY a "900910">]><fault><code>&a;</code><message>m</message></fault>',
        '<!DOCTYPE f SYSTEM "file:///etc/passwd"><fault><code>900910</code><message>m</message></fault>',
        "<fault><code>900910</code><message>m</message>",
        "<other><code>900910</code><message>m</message></other>",
        '{"code": {"fault": 900910}, "message": "m"}',
        '{"fault": [900910]}',
        '{"code": "900910"}',
    ],
)
async def test_what_is_no_plain_fault_page_is_not_believed(adapted: Adapted, body: str) -> None:
    adapted.bus.says(403, body)
    for error in await both(adapted):
        assert isinstance(error, AgencyUnavailable)
        assert error.code == "not_reached"


async def test_a_place_that_the_bus_does_not_know(adapted: Adapted, caplog: pytest.LogCaptureFixture) -> None:
    adapted.bus.says(404, page("xml", 404, "Not Found"))
    port = adapted.connect(tenant="kotalain.go.id", api="dtsen/data", version="2")
    with caplog.at_level(logging.ERROR, "loket.dtsen"):
        outcomes = [await failure(port.household_aid(SITI)) for _ in range(3)]
    assert adapted.bus.asked[-1].target == "/t/kotalain.go.id/dtsen/data/2/keluarga/cari"
    assert {(type(outcome), outcome.code) for outcome in outcomes} == {(AgencyUnavailable, "tenant_unknown")}
    assert "LOKET_DTSEN_TENANT" in outcomes[0].detail
    assert [record.levelname for record in caplog.records] == ["ERROR"], "said once, not with every call"


@pytest.mark.parametrize(("code", "outcome"), [(900908, "failed"), (404, "failed"), (900901, "ok")])
async def test_a_refusing_bus_is_no_healthy_agency(adapted: Adapted, code: int, outcome: str) -> None:
    """What is measured of the agency, and shown to officers and in the catalogue; a token that ended is usual."""
    adapted.bus.says(403, page("xml", code))
    await failure(adapted.port.household_aid(SITI))
    assert {told for operation, told in adapted.observed if operation == "household"} == {outcome}


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_credentials_that_get_no_token(adapted: Adapted, status: int) -> None:
    async def log_in(_request: object) -> web.Response:
        return web.json_response({"error": "invalid_client"}, status=status)

    adapted.bus.log_in = log_in
    for error in await both(adapted):
        assert isinstance(error, AgencyUnavailable)
        assert (error.operation, error.code) == ("token", "credentials_refused")
        assert "demo-dtsen" not in str(error)
    assert calls(adapted) == 0
    assert set(adapted.observed) == {("token", "failed")}


async def test_a_key_instead_of_a_token(adapted: Adapted) -> None:
    adapted.bus.says(401, page("bare", 900901))
    port = adapted.connect(access="apikey")
    with pytest.raises(AgencyUnavailable) as failed:
        await port.submit(objection())
    assert failed.value.code == "key_refused"
    adapted.bus.says(200, told(None))
    assert await port.household_aid(SITI) is None
    assert adapted.bus.asked[-1].headers["Apikey"] == "demo-dtsen-api-key"
    assert (adapted.bus.logins, len(adapted.bus.asked)) == (0, 2)


@pytest.mark.parametrize(
    ("headers", "more", "at_least_s", "at_most_s"),
    [
        ({"Retry-After": "17"}, {}, 17, 17),
        ({}, {"nextAccessTime": "2020-Nov-22 10:15:00+0000 UTC"}, 1, 1),
        ({}, {"nextAccessTime": "2120-Nov-22 10:15:00+0000 UTC"}, 3600, 3600),
        ({}, {"nextAccessTime": "tomorrow"}, THROTTLED_S, THROTTLED_S),
        ({}, {}, THROTTLED_S, THROTTLED_S),
    ],
)
async def test_throttling_says_when_to_come_again(
    adapted: Adapted, headers: dict[str, str], more: dict[str, str], at_least_s: float, at_most_s: float
) -> None:
    body = {"code": "900800", "message": "Message throttled out", "description": "quota", **more}
    adapted.bus.says(429, msgspec.json.encode(body).decode(), headers)
    for error in await both(adapted):
        assert isinstance(error, AgencyUnavailable)
        assert error.code == "throttled"
        assert error.retry_after_s is not None
        assert at_least_s <= error.retry_after_s <= at_most_s
    assert calls(adapted) == 2, "what is throttled is not asked again at once"


async def test_a_token_that_is_throttled(adapted: Adapted) -> None:
    async def log_in(_request: object) -> web.Response:
        return web.Response(status=429, text=page("xml", 900800))

    adapted.bus.log_in = log_in
    for error in await both(adapted):
        assert isinstance(error, AgencyUnavailable)
        assert (error.code, error.retry_after_s) == ("throttled", THROTTLED_S)
    assert calls(adapted) == 0


@pytest.mark.parametrize("code", ["LAYANAN_TUTUP", "NIK_TIDAK_VALID"])
async def test_a_refusal_to_look_something_up_does_not_say_that_it_is_not_there(adapted: Adapted, code: str) -> None:
    adapted.bus.says(422, msgspec.json.encode({"sukses": False, "kode": code, "pesan": "x"}).decode())
    assert isinstance(await failure(adapted.port.find(objection(), ())), OutcomeUnknown)

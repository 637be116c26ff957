"""What the register says of people, in every way in which it says it; and what its failures are told as."""

import asyncio
import time
from datetime import UTC, date, datetime

import msgspec
import pytest
from aiohttp import web

from app.errors import AgencyError, AgencyRejected, AgencyUnavailable
from app.settings import SettingsError
from integrations.bpjs_vclaim.sandbox import ACCOUNT, VclaimSandbox
from integrations.bpjs_vclaim.sealing import seal, sealing_key
from tests.integrations.bpjs_vclaim.conftest import BUDI, DEWI, RAHMAT, SITI, TODAY, Answering, OpenRegister, Register

ENTRY = {"noKartu": "0002357190010", "nik": SITI, "nama": "SITI AMINAH", "statusPeserta": {"kode": "0"}}
OK = {"code": "200", "message": "OK"}


def sealed(request: web.Request, content: object) -> bytes:
    """An answer sealed as BPJS seals it for this very request."""
    key = sealing_key(ACCOUNT, request.headers["X-timestamp"])
    return msgspec.json.encode({"metaData": OK, "response": seal(msgspec.json.encode(content).decode(), key)})


async def test_a_member_whose_contributions_the_state_pays(register: Register) -> None:
    asked_at = datetime.now(UTC)
    found = await register.port.membership(SITI, TODAY)
    assert found is not None
    assert (found.active, found.status, found.kind) == (True, "AKTIF", "PBI (APBN)")
    assert (found.care_class, found.card_number, found.name) == ("KELAS III", "0002357190010", "SITI AMINAH")
    assert (found.facility_code, found.facility_name) == ("0145U011", "PUSKESMAS SUKORAME")
    assert (found.birth_date, found.valid_until) == (date(1990, 5, 5), date(2199, 12, 31))
    assert asked_at <= found.as_of <= datetime.now(UTC)
    assert found.missing == {}


async def test_a_member_who_pays_alone_and_one_in_arrears(register: Register) -> None:
    budi, dewi = await register.port.membership(BUDI, TODAY), await register.port.membership(DEWI, TODAY)
    assert budi is not None
    assert dewi is not None
    assert (budi.active, budi.kind, budi.care_class) == (True, "PEKERJA MANDIRI", "KELAS II")
    assert (dewi.active, dewi.status) == (False, "TIDAK AKTIF KARENA PREMI")


async def test_a_status_that_changes_is_told_at_once(register: Register) -> None:
    await register.bench.work("0002357190010", "ended")
    found = await register.port.membership(SITI, TODAY)
    assert found is not None
    assert (found.active, found.status) == (False, "NON AKTIF")


@pytest.mark.parametrize("way", VclaimSandbox.quirks["unknown"])
@pytest.mark.parametrize("http_status", VclaimSandbox.quirks["http_status"])
async def test_nobody_the_register_knows(register: Register, way: str, http_status: str) -> None:
    await register.bench.quirks(unknown=way, http_status=http_status)
    assert await register.port.membership(RAHMAT, TODAY) is None


ALL_WAYS = [(name, way) for name, ways in VclaimSandbox.quirks.items() for way in ways]


@pytest.mark.parametrize(("name", "way"), ALL_WAYS)
async def test_every_copy_of_it_is_understood(register: Register, name: str, way: str) -> None:
    await register.bench.quirks(**{name: way})
    found = await register.port.membership(SITI, TODAY)
    assert found is not None
    assert (found.card_number, found.name, found.kind) == ("0002357190010", "SITI AMINAH", "PBI (APBN)")
    assert found.active is (None if way == "no_status" else True)


@pytest.mark.parametrize(
    ("gap", "fields", "reason"),
    [
        ("no_facility", {"facility_code", "facility_name"}, "not_told"),
        ("no_class", {"care_class"}, "not_told"),
        ("no_status", {"active"}, "not_told"),
        ("broken_dates", {"birth_date", "valid_until"}, "unreadable"),
    ],
)
async def test_what_is_not_told_is_none_with_its_reason(
    register: Register, gap: str, fields: set[str], reason: str
) -> None:
    await register.bench.quirks(gaps=gap)
    found = await register.port.membership(SITI, TODAY)
    assert found is not None
    assert found.missing == dict.fromkeys(fields, reason)
    assert all(getattr(found, name) is None for name in fields)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"secret_key": "another"}, "credentials_refused"),
        ({"user_key": "another"}, "credentials_refused"),
        ({"cons_id": "99"}, "credentials_refused"),
        ({"clock_offset_s": "900"}, "clock_refused"),
        ({"clock_offset_s": "-900"}, "clock_refused"),
    ],
)
async def test_a_request_that_is_not_taken_says_why(
    open_register: OpenRegister, settings: dict[str, str], code: str
) -> None:
    async with open_register(**settings) as register:
        with pytest.raises(AgencyUnavailable) as refused:
            await register.port.membership(SITI, TODAY)
    assert refused.value.code == code
    assert SITI not in str(refused.value)


async def test_a_clock_apart_is_met_by_the_offset(open_register: OpenRegister) -> None:
    """Their answers are sealed with the timestamp we sent, so it opens them too."""

    class Ahead(VclaimSandbox):
        clock_ahead_s = 3_600

    async with open_register(Ahead) as register:
        with pytest.raises(AgencyUnavailable):
            await register.port.membership(SITI, TODAY)
    async with open_register(Ahead, clock_offset_s="3600") as register:
        assert await register.port.membership(SITI, TODAY) is not None


@pytest.mark.parametrize("offset", ["soon", "1.5", "", "99999999", "1e3"])
async def test_an_offset_is_whole_seconds(open_register: OpenRegister, offset: str) -> None:
    with pytest.raises(SettingsError, match="LOKET_BPJS_VCLAIM_CLOCK_OFFSET_S"):
        async with open_register(clock_offset_s=offset):
            pass


async def test_the_timestamp_is_utc_seconds_and_new_for_each_call(answering: Answering) -> None:
    seen: list[str] = []

    def answer(request: web.Request) -> bytes:
        seen.append(request.headers["X-timestamp"])
        return sealed(request, {"peserta": ENTRY})

    port = await answering(answer)
    for _ in range(2):
        assert await port.membership(SITI, TODAY) is not None
        await asyncio.sleep(1)  # so that the next second begins
    first, second = map(int, seen)
    assert first < second
    assert abs(time.time() - second) < 5


async def test_an_answer_sealed_for_an_earlier_request_is_not_opened(answering: Answering) -> None:
    def answer(_request: web.Request) -> bytes:
        content = seal(msgspec.json.encode({"peserta": ENTRY}).decode(), sealing_key(ACCOUNT, "1795392600"))
        return msgspec.json.encode({"metaData": OK, "response": content})

    port = await answering(answer)
    with pytest.raises(AgencyUnavailable) as refused:
        await port.membership(SITI, TODAY)
    assert refused.value.code == "answer_unreadable"


@pytest.mark.parametrize(
    "nik", ["", "357102450590900", "35710245059090010", "357102450590900x", "../../../../etc/", "\uff13" * 16]
)
async def test_a_malformed_nik_is_never_sent(answering: Answering, nik: str) -> None:
    sent: list[str] = []

    def answer(request: web.Request) -> bytes:
        sent.append(request.path)
        return b""

    port = await answering(answer)
    with pytest.raises(AgencyRejected) as refused:
        await port.membership(nik, TODAY)
    assert refused.value.code == "nik_invalid"
    assert sent == []


@pytest.mark.parametrize("told", [BUDI, int(BUDI), float(BUDI), "x", 0, -1, True, [SITI]])
async def test_an_entry_of_somebody_else_is_never_shown(answering: Answering, told: object) -> None:
    port = await answering(lambda request: sealed(request, {"peserta": ENTRY | {"nik": told}}))
    with pytest.raises(AgencyUnavailable) as refused:
        await port.membership(SITI, TODAY)
    assert refused.value.code == "other_person"


@pytest.mark.parametrize("told", [SITI, int(SITI), float(SITI), None, "", f" {SITI} "])
async def test_a_nik_comes_in_every_form(answering: Answering, told: object) -> None:
    port = await answering(lambda request: sealed(request, {"peserta": ENTRY | {"nik": told}}))
    assert await port.membership(SITI, TODAY) is not None


async def test_card_number_and_codes_as_numbers(answering: Answering) -> None:
    entry = ENTRY | {"noKartu": 2357190010, "statusPeserta": {"kode": 0, "keterangan": "AKTIF"}}
    port = await answering(lambda request: sealed(request, {"peserta": entry}))
    found = await port.membership(SITI, TODAY)
    assert found is not None
    assert (found.card_number, found.active) == ("0002357190010", True)


@pytest.mark.parametrize(
    ("status", "told", "expected"),
    [
        (200, {"code": "201", "message": "Peserta Tidak Terdaftar"}, None),
        (404, {"code": 404, "message": "Data tidak ditemukan"}, None),
        (200, {"code": "201", "message": "NIK tidak ditemukan"}, None),
        (200, {"code": "201", "message": "NIK Tidak Sesuai"}, "nik_invalid"),
        (200, {"code": "201", "message": "Cons ID tidak terdaftar"}, "credentials_refused"),
        (200, {"code": "401", "message": "Invalid Signature"}, "credentials_refused"),
        (200, {"code": "201", "message": "Service Timestamp Is Expired"}, "clock_refused"),
        (404, {"code": "404", "message": "Service not found"}, "not_answered"),
        (200, {"code": "201", "message": "Tidak ada respon dari server"}, "not_answered"),
        (200, {"code": "500", "message": f"Gagal membaca {SITI}"}, "not_answered"),
        (200, {"code": "201", "message": None}, "not_answered"),
        (200, {"code": "201"}, "not_answered"),
    ],
)
async def test_what_its_refusals_mean(answering: Answering, status: int, told: object, expected: str | None) -> None:
    port = await answering(lambda _: msgspec.json.encode({"metaData": told, "response": None}), status=status)
    if expected is None:
        assert await port.membership(SITI, TODAY) is None
        return
    with pytest.raises(AgencyError) as refused:
        await port.membership(SITI, TODAY)
    assert refused.value.code == expected
    assert isinstance(refused.value, AgencyRejected) == (expected == "nik_invalid")
    assert SITI not in str(refused.value)


@pytest.mark.parametrize("status", [401, 403])
async def test_the_gateway_before_it_refuses_in_its_own_way(answering: Answering, status: int) -> None:
    port = await answering(lambda _: b"Authentication parameters missing", status=status)
    with pytest.raises(AgencyUnavailable) as refused:
        await port.membership(SITI, TODAY)
    assert refused.value.code == "credentials_refused"

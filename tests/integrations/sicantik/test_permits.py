"""The adapter: what it sends, and what it makes of the track, the licence and PHP's ways."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import msgspec
import pytest
from aiohttp import web

from app.agency_fields import local_phone
from app.cases.port import File
from app.errors import AgencyRejected, AgencyUnavailable, NotOffered, OutcomeUnknown
from app.settings import BackendSettings, SettingsError
from integrations.sicantik.client import is_registration
from integrations.sicantik.forms import MAX_FILE_BYTES, clean
from integrations.sicantik.lists import _pairs
from integrations.sicantik.sandbox import SicantikSandbox
from tests.integrations.sicantik.conftest import Office, application

PDF = File(uuid4(), "documents", "berkas.pdf", "application/pdf", b"%PDF-1.7 ...")


async def sent(office: Office) -> dict[str, object]:
    """The data of the only registration."""
    [effect] = await office.bench.ledger()
    return msgspec.to_builtins(effect.data)  # type: ignore[no-any-return] # a mapping of the ledger


async def test_sends_every_field_by_the_agencys_own_ids(office: Office) -> None:
    asked = application(
        permit="sip-perawat",
        kind="renewal",
        business_name="RSUD Gambiran",
        business_tax_number="01.234.567.8-622.000",
        business_phone="(0354) 2810000",
        business_address="Jalan Kapten Tendean 16",
        business_village_code="35.71.03.1003",
        requirements_met=("identity_card", "registration_certificate", "photograph"),
        extra={"registration_number": "STR 12", "old_licence_number": "503/1/2021", "empty": ""},
        files=[PDF],
    )
    receipt = await office.port.submit(asked)
    data = await sent(office)
    form = msgspec.convert(data["form"], dict[str, str])
    assert receipt.reference == data["no_pendaftaran"]
    assert is_registration(receipt.reference)
    assert (form["jenis_izin_id"], form["jenis_permohonan_id"], form["unit_kerja_id"]) == ("27", "2", "17")
    assert form["no_refer"] == asked.reference
    assert form["tgl_daftar"] == asked.submitted_on.isoformat()
    assert (form["nama_pemohon"], form["no_telp"]) == ("Siti Aminah", "081234567801")
    assert (form["nama_perusahaan"], form["npwp"], form["telpPerusahaan"]) == (
        "RSUD Gambiran",
        "012345678622000",
        "03542810000",
    )
    assert form["kelurahan_pemohon"] != form["kelurahan_usaha"]
    assert form["keterangan"] == (
        f"{asked.reference} | Papan nama toko | registration_number: STR 12 | old_licence_number: 503/1/2021"
    )
    assert data["pemohon_syarat"] == ["312", "313", "315"]
    assert data["file"] == {"name": f"{asked.reference}.pdf", "bytes": len(PDF.content), "kept": True}


@pytest.mark.parametrize(
    ("files", "kept", "named"),
    [
        ([File(uuid4(), "", "foto.jpg", "image/jpeg", b"\xff\xd8")], None, "foto.jpg"),
        ([File(uuid4(), "", "besar.pdf", "application/pdf", b"x" * (MAX_FILE_BYTES + 1))], None, "besar.pdf"),
        ([File(uuid4(), "", "pas.pdf", "application/pdf", b"x" * MAX_FILE_BYTES)], "pdf", ""),
        ([File(uuid4(), "", "foto.jpg", "image/jpeg", b"\xff\xd8"), PDF, PDF], "pdf", "foto.jpg"),
    ],
    ids=["a type it drops", "a size it drops", "exactly the limit", "the first that fits"],
)
async def test_what_it_would_drop_without_a_word_is_not_sent_but_named(
    office: Office, files: list[File], kept: str | None, named: str
) -> None:
    await office.port.submit(application(files=files))
    data = await sent(office)
    remark = msgspec.convert(data["form"], dict[str, str])["keterangan"]
    assert (data["file"] is not None) == (kept is not None)
    if data["file"]:
        assert msgspec.convert(data["file"], dict[str, object])["kept"] is True
    assert named in remark


async def test_without_a_business_the_licence_can_still_be_proven(office: Office) -> None:
    receipt = await office.port.submit(application())
    await office.bench.work(receipt.reference, "14")
    progress = await office.port.progress(receipt.reference)
    assert progress.status == "completed"
    assert await office.port.licence(progress.product["licence_number"]) is not None


async def test_status_follows_the_steps(office: Office) -> None:
    receipt = await office.port.submit(application())
    seen = [(await office.port.progress(receipt.reference)).status]
    for step in ("2", "5", "8", "12", "14"):
        await office.bench.work(receipt.reference, step)
        seen.append((await office.port.progress(receipt.reference)).status)
    assert seen == ["submitted", "in_review", "in_review", "in_review", "approved", "completed"]


async def test_the_track_shows_done_present_and_coming_steps(office: Office) -> None:
    receipt = await office.port.submit(application())
    await office.bench.work(receipt.reference, "5")
    steps = (await office.port.progress(receipt.reference)).steps
    assert [(step.key, step.state) for step in steps] == [
        ("1", "done"),
        ("2", "done"),
        ("5", "current"),
        ("8", "to_come"),
        ("12", "to_come"),
        ("14", "to_come"),
    ]
    assert steps[2].label == "Tinjauan Tim Teknis"


async def test_an_approved_case_has_its_number_before_the_end(office: Office) -> None:
    receipt = await office.port.submit(application())
    await office.bench.work(receipt.reference, "12")
    progress = await office.port.progress(receipt.reference)
    number = progress.product["licence_number"]
    assert number == await office.port.licence_number(receipt.reference)
    licence = await office.port.licence(number)
    assert licence is not None
    assert (licence.holder, licence.permit) == ("Siti Aminah", "Izin Penyelenggaraan Reklame")
    assert licence.issued_on is not None
    assert licence.valid_until is not None
    assert 360 <= (licence.valid_until - licence.issued_on).days <= 366


async def test_one_number_for_two_people_shows_neither_the_others_matter(office: Office) -> None:
    receipt = await office.port.submit(application())
    await office.bench.work(receipt.reference, "collide")
    with pytest.raises(OutcomeUnknown) as raised:
        await office.port.progress(receipt.reference)
    assert raised.value.code == "number_collision"


async def test_the_agency_says_failed_with_status_200(office: Office) -> None:
    with pytest.raises(AgencyRejected) as raised:
        await office.port.submit(application(applicant_name=" "))
    assert raised.value.code == "failed"
    assert await office.bench.ledger() == []


async def test_a_permit_the_agency_has_not_is_done_by_hand(office: Office) -> None:
    with pytest.raises(NotOffered):
        await office.port.submit(application(permit="izin-terbang"))
    assert await office.bench.ledger() == []


@pytest.mark.parametrize(
    "number", ["1 OR 1=1", "0001201201112026'", "", "00012012011120260000000000", "../x", "\u0661" * 16]
)
async def test_nothing_but_a_registration_number_is_asked_for(office: Office, number: str) -> None:
    await office.bench.fault("error_500")  # whatever was sent would come back as unavailable
    with pytest.raises(AgencyRejected):
        await office.port.progress(number)


async def test_a_wrong_address_is_not_an_empty_list(office: Office) -> None:
    client = office.port._client._client
    client._base = office.url + "/elsewhere"
    with pytest.raises(AgencyUnavailable):
        await office.port.licence("503/1/2026")
    with pytest.raises(AgencyUnavailable):
        await office.port.submit(application())


async def test_villages_of_all_three_cities_are_known_by_name(office: Office) -> None:
    lists = office.port._lists
    codes = ["35.71.01.1014", "35.71.02.1001", "3576031001", "35.76.01.1005", "33.76.04.1007", "33.76.02.1005"]
    ids = [await lists.village_id(code) for code in codes]
    assert all(identity.isdecimal() for identity in ids)
    assert len(set(ids)) == len(codes)
    assert [await lists.village_id(code) for code in ("35.78.01.1001", "99.99.99.9999", "", "x")] == ["", "", "", ""]


def test_texts_are_made_harmless() -> None:
    assert clean('Nu\'man\r\n<script>alert("x")</script>; DROP\x00 \\') == "Nu’man ‹script›alert(”x”)‹/script›, DROP /"  # noqa: RUF001 - the twins are meant
    assert [local_phone(value) for value in ("+62 812-3456-7801", "0812 3456 7801", "")] == [
        "081234567801",
        "081234567801",
        "",
    ]


@pytest.mark.parametrize("value", ["reklame", "reklame:x", ":12", "reklame:12:13", "reklame:1234567890"])
def test_bad_permit_ids_are_named_at_start(value: str) -> None:
    with pytest.raises(SettingsError, match="LOKET_SICANTIK_PERMIT_IDS"):
        _pairs(BackendSettings("sicantik", "http://127.0.0.1", {}, {"permit_ids": value}))


Opened = Callable[..., AbstractAsyncContextManager[Office]]


def telling(words: Mapping[str, object]) -> type[SicantikSandbox]:
    """A copy that registers as the others do, and tells so in words of its own beside the number."""

    class Copy(SicantikSandbox):
        async def _register(self, request: web.Request) -> web.Response:
            body = (await super()._register(request)).body
            assert isinstance(body, bytes)
            told = msgspec.json.decode(body[body.index(b"{") :], type=dict[str, object])
            return web.json_response({"no_pendaftaran": told["no_pendaftaran"], **words})

    return Copy


@pytest.mark.parametrize(
    "words",
    [
        {"status": "success", "success": "true"},
        {"status": "success", "success": 1},
        {"status": "Success", "success": "1"},
        {"status": "success"},
        {"success": None},
    ],
    ids=repr,
)
async def test_a_copy_that_says_yes_in_other_words_has_registered(
    open_office: Opened, words: Mapping[str, object]
) -> None:
    async with open_office(kind=telling(words)) as office:
        receipt = await office.port.submit(application())
        [effect] = await office.bench.ledger()
        assert receipt.reference == effect.data["no_pendaftaran"]


@pytest.mark.parametrize(
    "words",
    [
        {"success": "ok", "no_pendaftaran": ""},
        {"success": True, "no_pendaftaran": None},
        {"no_pendaftaran": "belum"},
        {"success": False},
        {"status": "failed", "success": True},
    ],
    ids=repr,
)
async def test_what_is_neither_yes_nor_a_plain_no_is_unknown(open_office: Opened, words: Mapping[str, object]) -> None:
    """The registration stands there: a refusal would end the citizen's case for good."""
    async with open_office(kind=telling(words)) as office:
        with pytest.raises(OutcomeUnknown):
            await office.port.submit(application())
        assert len(await office.bench.ledger()) == 1


@pytest.mark.parametrize("words", [{"success": "false"}, {"success": 0}, {"status": "Failed", "success": None}])
async def test_a_plain_no_in_other_words_is_a_refusal(open_office: Opened, words: Mapping[str, object]) -> None:
    async with open_office(kind=telling({"no_pendaftaran": " ", **words})) as office:
        with pytest.raises(AgencyRejected):
            await office.port.submit(application())


async def test_a_copy_whose_files_begin_with_a_byte_order_mark_is_read(open_office: Opened) -> None:
    class Copy(SicantikSandbox):
        def _answer(self, value: object, *, status: int = 200, warning: str = "") -> web.Response:
            body = b"\xef\xbb\xbf\xef\xbb\xbf\n" + msgspec.json.encode(value)
            return web.Response(body=body, status=status, content_type="text/html")

    async with open_office(kind=Copy) as office:
        receipt = await office.port.submit(application())
        assert (await office.port.progress(receipt.reference)).status == "submitted"

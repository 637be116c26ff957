"""The sandbox speaks as the agency's copy does, its habits included."""

import re

import msgspec
import pytest

from tests.integrations.sicantik.conftest import Office, application


def rows(body: str) -> list[dict[str, str]]:
    """The list after whatever PHP printed before it."""
    decoded: list[dict[str, str]] = msgspec.json.decode(body[re.search(r"^\[", body, re.MULTILINE).start() :])  # type: ignore[union-attr] # found or the test fails
    return decoded


@pytest.mark.parametrize(
    "address",
    [
        "permohonan",
        "permohonan2?pendaftaran=0",
        "listpermohonan",
        "listpermohonan?limit=0",
        "listpermohonanterbit?limit=10",
        "listpermohonanterbit?limit=10&offset=0",
        "cekperizinan",
        "syaratperizinan",
        "kelurahan",
    ],
)
async def test_a_missing_parameter_is_400_with_an_empty_body(office: Office, address: str) -> None:
    assert await office.answer(address) == (400, "")


async def test_an_offset_of_two_zeros_is_taken(office: Office) -> None:
    for n in range(3):
        await office.register_directly(nama_pemohon=f"Warga {n}")
    await office.bench.work(None, "12")
    status, body = await office.answer("listpermohonanterbit?limit=2&offset=00")
    assert (status, [row["n_pemohon"] for row in rows(body)]) == (200, ["Warga 2", "Warga 1"])
    assert rows(body)[0]["num_rows"] == "3"
    assert rows(body)[0]["no_surat"]


@pytest.mark.parametrize(
    "address", ["permohonan?pendaftaran=1", "listpermohonan?limit=5", "listtolak?limit=5&offset=00"]
)
async def test_an_empty_list_is_404_in_words(office: Office, address: str) -> None:
    status, body = await office.answer(address)
    assert status == 404
    assert body.endswith('{"error":"Tidak ada data.."}')


async def test_some_empty_lists_have_no_words(office: Office) -> None:
    assert await office.answer("kelurahan?id_kec=999999") == (404, "")


async def test_an_unknown_licence(office: Office) -> None:
    status, body = await office.answer("cekperizinan?no_izin=NTAzLzE=")
    assert status == 404
    assert body.endswith('{"error":"No Izin tidak Terdaftar!"}')


async def test_words_where_sql_wants_a_number_break_it(office: Office) -> None:
    status, body = await office.answer("listpermohonan?limit=ten")
    assert status == 500
    assert "A Database Error Occurred" in body


async def test_numbers_run_through_the_year_and_tell_type_kind_and_month(office: Office) -> None:
    numbers = [
        (await office.register_directly(jenis_izin_id=permit))["no_pendaftaran"] for permit in ("12", "27", "12")
    ]
    assert [number[:10] for number in numbers] == ["0000101201", "0000202701", "0000301201"]
    assert all(re.fullmatch(r"[0-9]{10}(0[1-9]|1[0-2])20[0-9]{2}", number) for number in numbers)


async def test_sending_twice_registers_twice(office: Office) -> None:
    asked = application()
    first, second = await office.port.submit(asked), await office.port.submit(asked)
    assert first.reference != second.reference
    assert len(await office.bench.ledger()) == 2


async def test_without_requirements_a_warning_stands_before_the_json(office: Office) -> None:
    async with office.http.post(
        f"{office.url}/backoffice/api/pendaftaran",
        data={"jenis_izin_id": "12", "jenis_permohonan_id": "1", "nama_pemohon": "Budi"},
    ) as response:
        body = await response.text()
    assert body.startswith("<br />\n<b>Warning</b>:  count()")
    assert '"success":true' in body


async def test_a_failure_is_http_200(office: Office) -> None:
    answer = await office.register_directly(jenis_izin_id="999")
    assert answer == {"status": "failed", "success": False, "no_pendaftaran": " "}
    assert await office.bench.ledger() == []


async def test_the_mobile_way_takes_json(office: Office) -> None:
    body = msgspec.json.encode(
        {"jenis_izin_id": "12", "jenis_permohonan_id": 1, "nama_pemohon": "Dewi", "pemohon_syarat": ["300"]}
    )
    async with office.http.post(f"{office.url}/backoffice/api/pendaftaran?source=mobile", data=body) as response:
        assert '"success":true' in await response.text()
    [effect] = await office.bench.ledger()
    assert effect.data["pemohon_syarat"] == ["300"]


async def test_requirements_legal_basis_and_levies(office: Office) -> None:
    assert len(rows((await office.answer("syaratperizinan?perizinan=12"))[1])) == 10
    assert "dasar hukum" in rows((await office.answer("dasarhukum?perizinan=27"))[1])[0]
    levies = [rows((await office.answer(f"nilairetribusi?perizinan={n}"))[1])[0]["retribusi"] for n in (12, 33, 41)]
    assert levies == ["Perhitungan Manual", "250000", None]


async def test_work_moves_forward_only_and_ends(office: Office) -> None:
    number = (await office.register_directly())["no_pendaftaran"]
    await office.bench.work(number, "8")
    with pytest.raises(Exception, match="already"):
        await office.bench.work(number, "2")
    with pytest.raises(Exception, match="no step"):
        await office.bench.work(number, "99")
    for _ in range(5):
        await office.bench.work(number)
    moves = [effect for effect in await office.bench.ledger() if effect.operation == "work"]
    assert [effect.data["steps"] for effect in moves] == [["2", "5", "8"], ["12"], ["14"]]


async def test_a_matter_is_known_by_the_senders_reference_too(office: Office) -> None:
    asked = application()
    receipt = await office.port.submit(asked)
    await office.bench.work(asked.reference, "reject")
    assert (await office.port.progress(receipt.reference)).status == "rejected"

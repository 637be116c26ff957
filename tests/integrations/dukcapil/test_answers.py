"""What the register answers, in every way in which it does, and what that means; and what is asked of it."""

import json
from datetime import date
from typing import Any

import pytest

from app.errors import AgencyUnavailable
from app.login.port import Claim
from app.settings import SettingsError
from tests.integrations.dukcapil.conftest import Answering

SITI = Claim("3571024505909001", "Siti Aminah", date(1990, 5, 5))
GOOD = {"NAMA_LGKP": "Sesuai (100)", "TGL_LHR": "Sesuai"}


def page(**row: object) -> str:
    return json.dumps({"content": [row], "lastPage": True, "numberOfElements": 1, "totalElements": 1})


async def test_only_what_is_compared_is_sent(answering: Answering, asked: list[dict[str, Any]]) -> None:
    register = await answering(page(**GOOD))
    assert await register.compare(SITI) == "matched"
    assert asked == [
        {
            "path": "/dukcapil/get_json/35-71/LOKET/CALL_VERIFY_BY_ELEMEN",
            "USER_ID": "demo-dukcapil-user",
            "PASSWORD": "demo-dukcapil-password",
            "IP_USER": "10.35.71.10",
            "TRESHOLD": "95",
            "NIK": SITI.nik,
            "NAMA_LGKP": "SITI AMINAH",
            "TGL_LHR": "05-05-1990",
        }
    ]


async def test_path_day_and_threshold_are_settings(answering: Answering, asked: list[dict[str, Any]]) -> None:
    path = "/dukcapil/get_json/357120261121001/CALL_VERIFY_BY_ELEMEN"
    register = await answering(page(**GOOD), path=path, date_format="iso", name_score="80", daily_quota="12")
    await register.compare(SITI)
    assert [asked[0][key] for key in ("path", "TGL_LHR", "TRESHOLD")] == [path, "1990-05-05", "80"]
    assert register.daily_quota == 12


@pytest.mark.parametrize(
    ("row", "standing"),
    [
        ({"NAMA_LGKP": "Sesuai (95)", "TGL_LHR": "Sesuai"}, "matched"),
        ({"NAMA_LGKP": "Sesuai (94)", "TGL_LHR": "Sesuai"}, "differs"),
        ({"NAMA_LGKP": "Sesuai(99.5)", "TGL_LHR": "sesuai"}, "matched"),
        ({"NAMA_LGKP": "SESUAI", "TGL_LHR": " Sesuai "}, "matched"),
        ({"NAMA_LGKP": "Tidak Sesuai (96)", "TGL_LHR": "Sesuai"}, "differs"),
        ({"NAMA_LGKP": "Sesuai (100)", "TGL_LHR": "Tidak Sesuai"}, "differs"),
        ({"nama_lgkp": "Sesuai (100)", "tgl_lhr": "Sesuai"}, "matched"),
        ({**GOOD, "NIK": 3571024505909001}, "matched"),
        ({**GOOD, "NIK": 3571024505909001.0}, "matched"),
        ({**GOOD, "NIK": "3571024505909001"}, "matched"),
        ({**GOOD, "NIK": "Sesuai", "RESPONSE_CODE": "00", "RESPONSE": "Sukses"}, "matched"),
        ({**GOOD, "NIK": "Tidak Sesuai"}, "differs"),
        ({**GOOD, "NIK": "sesuai (100)"}, "matched"),
        ({**GOOD, "RESPONSE_CODE": "11", "RESPONSE": "Data Ditemukan, Meninggal Dunia"}, "deceased"),
        ({"RESPONSE_CODE": 12, "RESPONSE": "Data Ganda"}, "double"),
        ({"RESPONSE_CODE": "14", "RESPONSE": ""}, "inactive"),
        ({"RESPONSE_CODE": "15", "RESPONSE": "NIK tidak sesuai format Dukcapil"}, "unknown"),
        ({"RESPON": "Data Tidak Ditemukan"}, "unknown"),
        # Where code and words disagree the words go first: the list of codes is one source's.
        ({"RESPONSE_CODE": "13", "RESPONSE": "Data Ditemukan, Status Non Aktif"}, "inactive"),
    ],
)
async def test_an_answer_means(answering: Answering, row: dict[str, object], standing: str) -> None:
    assert await (await answering(page(**row))).compare(SITI) == standing


@pytest.mark.parametrize("other", [GOOD, {"NAMA_LGKP": "Tidak Sesuai (20)", "TGL_LHR": "Sesuai"}])
async def test_several_entries_under_one_nik_prove_nobody(answering: Answering, other: dict[str, object]) -> None:
    body = json.dumps({"content": [{**GOOD, "NIK": int(SITI.nik)}, other], "numberOfElements": 2})
    assert await (await answering(body)).compare(SITI) == "double"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (json.dumps({"content": [GOOD, {**GOOD, "NIK": 3571011708859002}]}), "other_person"),
        (page(RESPON="Kuota Akses Hari ini telah Habis"), "quota_spent"),
        (page(RESPON="IP Address Tidak Sesuai"), "address_refused"),
        (page(RESPON="IP Client  Tidak terdaftar"), "address_refused"),
        (page(RESPON="Login Gagal"), "credentials_refused"),
        (page(**{**GOOD, "NIK": 3571011708859002}), "other_person"),
        (page(NAMA_LGKP="Sesuai (100)"), "not_understood"),
        (page(NAMA_LGKP="Sesuai (100)", TGL_LHR="Mungkin Sesuai"), "not_understood"),
        (page(NAMA_LGKP="Sesuai (100)", TGL_LHR=True), "not_understood"),
        (page(RESPONSE_CODE="99", RESPONSE="Galat"), "not_understood"),
        (page(), "not_understood"),
        ('{"content": []}', "not_understood"),
        ('{"content": "Sesuai"}', "not_understood"),
        ("", "not_understood"),
        ("null", "not_understood"),
        ("[" * 5000, "not_understood"),
        ("<html>Sesuai</html>", "not_understood"),
    ],
)
async def test_where_nothing_was_learned(answering: Answering, body: str, code: str) -> None:
    with pytest.raises(AgencyUnavailable) as raised:
        await (await answering(body)).compare(SITI)
    assert raised.value.code == code
    assert SITI.nik not in str(raised.value)


async def test_any_other_status_is_no_answer(answering: Answering) -> None:
    for status in (201, 302, 400, 401, 404, 500):
        with pytest.raises(AgencyUnavailable):
            await (await answering(page(**GOOD), status)).compare(SITI)


async def test_a_spent_quota_says_when_there_is_a_new_one(answering: Answering) -> None:
    with pytest.raises(AgencyUnavailable) as raised:
        await (await answering(page(RESPON="Kuota Akses Hari ini telah Habis"))).compare(SITI)
    assert raised.value.retry_after_s is not None
    assert 0 < raised.value.retry_after_s <= 86_400


@pytest.mark.parametrize(
    "wrong", [{"name_score": "101"}, {"name_score": "many"}, {"daily_quota": "-1"}, {"date_format": "mdy"}]
)
async def test_settings_that_cannot_be_used(answering: Answering, wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong)).upper()):
        await answering(page(**GOOD), **wrong)

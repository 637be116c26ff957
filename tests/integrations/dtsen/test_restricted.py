"""Restricted data: what names a person goes in bodies alone, and settings that would leak or not reach are refused."""

import re

import pytest

from app.agency_client import AgencyClient
from app.settings import BackendSettings, Settings, SettingsError, backend_settings
from integrations.dtsen.social_aid import DtsenSocialAid
from tests.integrations.dtsen.conftest import MANIFEST, SITI, Adapted, objection, photo, told

NUMBER = "SGH-2026-000001"


async def test_no_address_and_no_header_names_a_person(adapted: Adapted) -> None:
    adapted.bus.says(200, told({"nomor": NUMBER, "referensi": "x", "tahapan": [{"kode": "A", "nama": "A"}]}))
    port, request = adapted.port, objection(photos=[photo()])
    for asking in (
        port.submit(request),
        port.matter(NUMBER),
        port.answer(NUMBER, "Siapa Siti Aminah?", f"Saya, {SITI}"),
        port.withdraw(NUMBER, "Siti Aminah pindah"),
    ):
        await asking
    for lookup in (port.household_aid(SITI), port.find(request, ()), port.certificate("470/0001/419.107/2026")):
        with pytest.raises(Exception, match=r"unreadable|no |another|not "):
            await lookup
    assert len(adapted.bus.asked) == 8
    personal = re.compile(rf"{SITI}|Siti|Aminah|1290019001|470/|Wijaya|LKT-", re.IGNORECASE)
    for asked in adapted.bus.asked:
        shown = f"{asked.target} {asked.headers}"
        assert not personal.search(shown), shown
    assert SITI.encode() in adapted.bus.asked[1].body


async def test_files_go_under_names_of_ours(adapted: Adapted) -> None:
    adapted.bus.says(201, told({"nomor": NUMBER}))
    await adapted.port.submit(objection(photos=[photo(b"one"), photo(b"two")]))
    body = adapted.bus.asked[-1].body
    assert b'filename="foto-1.png"' in body
    assert b'filename="foto-2.png"' in body
    assert b"rumah" not in body.lower()
    assert b'"lintang":-7.8166' in body


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": "kediri"},
        {"tenant": "../admin"},
        {"tenant": "kedirikota.go.id/x"},
        {"api": ".."},
        {"api": "dtsen/../x"},
        {"api": "a b"},
        {"version": "1.0?x"},
        {"version": ""},
        {"access": "basic"},
        {"time_zone": "Kediri"},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, str]) -> None:
    given = {**MANIFEST.wanted.settings, **wrong}
    backend = BackendSettings("dtsen", "http://127.0.0.1:9", MANIFEST.wanted.credentials, given)
    with pytest.raises(SettingsError, match=f"LOKET_DTSEN_{next(iter(wrong)).upper()}"):
        DtsenSocialAid(AgencyClient(MANIFEST, backend))


@pytest.mark.parametrize("secret", sorted(MANIFEST.wanted.credentials))
def test_production_refuses_the_demos_secrets(secret: str) -> None:
    keys = {**MANIFEST.wanted.settings, **dict.fromkeys(MANIFEST.wanted.credentials, "real")}
    environ = {f"LOKET_DTSEN_{key.upper()}": value for key, value in keys.items()}
    environ["LOKET_DTSEN_URL"] = "https://bus.example/"
    where = Settings(env="production")
    assert backend_settings("dtsen", MANIFEST.wanted, environ, where).credentials[secret] == "real"
    environ[f"LOKET_DTSEN_{secret.upper()}"] = MANIFEST.wanted.credentials[secret]
    with pytest.raises(SettingsError, match="demo"):
        backend_settings("dtsen", MANIFEST.wanted, environ, where)


async def test_a_bus_without_tenants(adapted: Adapted) -> None:
    adapted.bus.says(200, told(None))
    assert await adapted.connect(tenant="-").household_aid(SITI) is None
    assert adapted.bus.asked[-1].target == "/dtsen/1.0/keluarga/cari"

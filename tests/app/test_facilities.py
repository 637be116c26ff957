"""Where facilities' systems are: the sandbox's in the demo, those of the variable in production."""

import json
from pathlib import Path

import pytest

from app.catalog.city import load_city
from app.facilities import backends_of
from app.manifest import IntegrationManifest, OperationPolicy
from app.settings import Settings, SettingsError

VARIABLE = "LOKET_ANTREAN_FKTP_FACILITIES"
SECRET = "a-secret-of-the-facility"
MANIFEST = IntegrationManifest(
    name="antrean_fktp",
    title="Test",
    agency="dinkes",
    serves=["health"],
    protocol="HTTP",
    each_facility=True,
    settings={"header_token": "x-token"},
    credentials={"username": "loket", "password": "demo"},
    operations={"take": OperationPolicy()},
)
FACILITIES = load_city("kediri").facility
PRODUCTION = Settings(
    env="production",
    database_url="postgresql://x",
    valkey_url="redis://x",
    data_key="k",
    index_key="k",
    public_url="https://x",
)
REAL = {"url": "https://one.example/queue", "credentials": {"username": "u", "password": SECRET}}


def test_in_the_demo_each_has_its_sandbox() -> None:
    found = backends_of(MANIFEST, FACILITIES, {}, Settings(sandbox_port=8100))
    assert set(found) == {"puskesmas-balowerti", "puskesmas-sukorame"}
    one = found["puskesmas-balowerti"]
    assert one.name == "antrean_fktp.puskesmas-balowerti"
    assert one.url == "http://127.0.0.1:8100/antrean_fktp/puskesmas-balowerti"
    assert one.credentials == {"username": "loket", "password": "demo"}
    assert one.settings == {
        "header_token": "x-token",
        "facility": "puskesmas-balowerti",
        "time_zone": "Asia/Jakarta",
    }


def test_in_the_demo_one_may_differ() -> None:
    given = {VARIABLE: json.dumps({"puskesmas-sukorame": {"settings": {"header_token": "token"}}})}
    found = backends_of(MANIFEST, FACILITIES, given, Settings())
    assert found["puskesmas-sukorame"].settings["header_token"] == "token"
    assert found["puskesmas-balowerti"].settings["header_token"] == "x-token"


def test_in_production_those_that_are_named_are_connected(tmp_path: Path) -> None:
    file = tmp_path / "facilities.toml"
    file.write_text(
        f'[puskesmas-sukorame]\nurl = "{REAL["url"]}"\n'
        f'[puskesmas-sukorame.credentials]\nusername = "u"\npassword = "{SECRET}"\n'
    )
    found = backends_of(MANIFEST, FACILITIES, {VARIABLE: str(file)}, PRODUCTION)
    assert [(facility, backend.url) for facility, backend in found.items()] == [("puskesmas-sukorame", REAL["url"])]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "is not set"),
        ("{", "cannot be read"),
        ("/nowhere/at/all.toml", "cannot be read"),
        (json.dumps({"puskesmas-elsewhere": REAL}), "no puskesmas-elsewhere"),
        (json.dumps({"puskesmas-sukorame": {"credentials": REAL["credentials"]}}), "url is not set"),
        (json.dumps({"puskesmas-sukorame": REAL | {"credentials": {"username": "u"}}}), "credential password"),
        (
            json.dumps({"puskesmas-sukorame": REAL | {"credentials": {"username": "u", "password": "demo"}}}),
            "the demo's",
        ),
        (json.dumps({"puskesmas-sukorame": REAL | {"settings": {"colour": "red"}}}), "unknown settings colour"),
        (json.dumps({"puskesmas-sukorame": REAL | {"port": 1}}), "unknown field"),
    ],
)
def test_what_cannot_be_used_is_said_without_its_secrets(value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        backends_of(MANIFEST, FACILITIES, {VARIABLE: value} if value else {}, PRODUCTION)
    assert SECRET not in str(refused.value)


def test_another_integration_has_one_system_for_all() -> None:
    one_for_all = IntegrationManifest(
        name="permits_desk",
        title="Test",
        agency="dpmptsp",
        serves=["permits"],
        protocol="HTTP",
        operations={"read": OperationPolicy(safe=True)},
    )
    assert set(backends_of(one_for_all, FACILITIES, {}, Settings())) == {""}

"""`loket clients` and `loket keys`: what an application may be, and what the terminal says."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.audit.models import AuditRow
from app.clients import add
from app.login.provider.clients import Application
from app.settings import SettingsError
from tests.app.login.journey import Journey
from tests.harness.product import Api, Running
from tests.harness.provider import exchange, register

ADD = (
    *("clients", "add", "by-terminal", "--name", "Portal Dinkes", "--agency", "dinkes", "--officer", "admin"),
    *("--purpose-id", "mendaftar imunisasi", "--purpose-en", "vaccination", "--scope", "profile"),
    *("--redirect-uri", "https://portal.example.go.id/cb", "--post-logout-uri", "https://portal.example.go.id/"),
)
RIGHT = Application(
    id="right",
    name="Portal",
    agency="dinkes",
    purpose_id="mendaftar",
    purpose_en="signing up",
    scopes=("openid",),
    redirect_uris=("https://portal.example.go.id/cb",),
)
# What is changed in what is right.
WRONG: dict[str, dict[str, object]] = {
    "an id with spaces": {"id": "a portal"},
    "an id in big letters": {"id": "Portal"},
    "no name": {"name": " "},
    "an agency the city does not have": {"agency": "nasa"},
    "no purpose": {"purpose_en": ""},
    "no openid": {"scopes": ("profile",)},
    "an unknown scope": {"scopes": ("openid", "phone")},
    "the NIK without a legal basis": {"scopes": ("openid", "nik")},
    "no address": {"redirect_uris": ()},
    "an address without TLS": {"redirect_uris": ("http://portal.example.go.id/cb",)},
    "an address with a star": {"redirect_uris": ("https://*.example.go.id/cb",)},
    "an address with a fragment": {"redirect_uris": ("https://portal.example.go.id/cb#x",)},
    "an address with a user": {"redirect_uris": ("https://u@portal.example.go.id/cb",)},
    "an address with dots": {"redirect_uris": ("https://portal.example.go.id/a/../cb",)},
    "an address in big letters": {"redirect_uris": ("https://PORTAL.example.go.id/cb",)},
    "an address of an app": {"redirect_uris": ("portal://cb",)},
    "a script": {"redirect_uris": ("javascript:alert(1)",)},
    "an address without a host": {"redirect_uris": ("https:///cb",)},
    "a bad logout address": {"post_logout_uris": ("http://portal.example.go.id/",)},
    "a bad back channel": {"backchannel_logout_uri": "https://portal.example.go.id/out?x=1"},
    "two hosts and no sector": {"redirect_uris": ("https://a.example.go.id/", "https://b.example.go.id/")},
    "a private key": {"public_keys": ({"kty": "EC", "d": "x"},)},
    "a shared key": {"public_keys": ({"kty": "oct", "k": "eA"},)},
    "a key that is none": {"public_keys": ({"kty": "EC"},)},
}


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG)
async def test_what_is_not_safe_is_not_registered(api: Api, changed: dict[str, object]) -> None:
    asked = {name: getattr(RIGHT, name) for name in RIGHT.__struct_fields__} | changed
    with pytest.raises(SettingsError):
        await add(api.settings, Application(**asked), "tester")


async def test_a_removed_application_gets_nothing(api: Api, start_process: Callable[..., Running]) -> None:
    gone = await register(api, "gone")
    assert (await exchange(api, gone, grant_type="refresh_token", refresh_token="x")).json()["error"] == "invalid_grant"
    removing = start_process("clients", "remove", gone.id, "--officer", "admin")
    removing.wait_for("gone is removed")
    refused = await exchange(api, gone, grant_type="refresh_token", refresh_token="x")
    assert refused.json()["error"] == "invalid_client"


async def test_the_terminal_shows_a_secret_once(
    api: Api, journey: Journey, start_process: Callable[..., Running]
) -> None:
    adding = start_process(*ADD)
    adding.wait_for("client_secret")
    adding.wait_for("It is shown this once")
    secret = re.search(r"client_secret +(\S{43})", adding.output())
    assert secret
    listing = start_process("clients", "list")
    listing.wait_for("by-terminal")
    assert secret[1] not in listing.output()
    async with journey.database.transaction() as session:
        rows = (await session.scalars(select(AuditRow).where(AuditRow.object_id == "by-terminal"))).all()
    assert [(row.action, row.actor_kind, row.actor_id) for row in rows] == [("client.added", "officer", "admin")]


async def test_keys_are_rotated_by_the_terminal(
    api: Api, start_process: Callable[..., Running], journey: Journey
) -> None:
    early = start_process("keys", "rotate", "--officer", "admin")
    early.wait_for("published for less than")
    late = start_process("keys", "rotate", "--compromised", "--officer", "admin")
    late.wait_for("signing with")
    listing = start_process("keys", "list")
    listing.wait_for("next")
    assert "active" in listing.output()
    assert "retired" not in listing.output(), "a stolen key is believed by nobody"
    async with journey.database.transaction() as session:
        rows = (await session.scalars(select(AuditRow).where(AuditRow.object_kind == "key"))).all()
    assert [(row.action, row.actor_id) for row in rows] == [("key.withdrawn", "admin")], "who did it is on record"

"""What discovery says is believed only where it points below the issuer: no request of ours is sent anywhere else."""

import base64
import secrets
from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.agency_client import AgencyClient
from app.errors import AgencyUnavailable
from app.login.port import NationalReturn, NationalStart
from app.manifest import integration_manifests
from app.settings import BackendSettings, SettingsError
from integrations.inapas.login_national import InapasIdentity

START = NationalStart("https://loket.example/callback", "state", "nonce", "x" * 43)
BACK = NationalReturn("code", None, "https://loket.example/callback", "nonce", "v" * 43)
# In place of an address of the provider's own; {issuer} is the provider's, {inside} a server nobody may be led to.
ELSEWHERE = (
    "{inside}/keys",
    "{issuer}.evil.example/keys",
    "{issuer}@{bare}/keys",
    "{issuer}:80@{bare}/keys",
    "{issuer}/../keys",
    "{issuer}/a/../../keys",
    "{issuer}/./keys",
    "{issuer}/%2e%2e/keys",
    "{issuer}/keys?next={inside}",
    "{issuer}/keys#x",
    "{issuer}/keys\r\nHost: evil.example",
    "{issuer}//{bare}/keys",
    "{issuer}\\@{bare}/keys",
    "{issuer}/\\{bare}",
    "{issuer}/keys keys",
    "{issuer}",
    "{issuer}/",
    "//{bare}/keys",
    "/keys",
    "keys",
    "file:///etc/passwd",
    "gopher://{bare}/_x",
    "http://169.254.169.254/latest/meta-data",
    "http://[::1]:1/keys",
    "http://0/keys",
    "http://2130706433/keys",
    "http://0x7f.1/keys",
    "HTTP://127.0.0.1/keys",
    "ftp://127.0.0.1/keys",
    "",
)
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")


class Provider:
    """Says of itself what a test wants; `inside` is a second server, which counts who comes."""

    def __init__(self) -> None:
        self.issuer = ""
        self.inside = ""
        self.changed: dict[str, object] = {}
        self.hits: list[str] = []

    async def discovery(self, _request: web.Request) -> web.Response:
        told = {name: f"{self.issuer}/{name}" for name in ENDPOINTS}
        return web.json_response({"issuer": self.issuer, **told, **self.changed})

    async def hit(self, request: web.Request) -> web.Response:
        self.hits.append(request.path)
        return web.json_response({"keys": []})

    def fill(self, address: str) -> str:
        return address.format(issuer=self.issuer, inside=self.inside, bare=self.inside.removeprefix("http://"))


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Provider]:
    told = Provider()
    outside, inside = web.Application(), web.Application()
    outside.router.add_get("/.well-known/openid-configuration", told.discovery)
    inside.router.add_route("*", "/{path:.*}", told.hit)
    runners = []
    for app in (outside, inside):
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
    told.issuer, told.inside = (f"http://127.0.0.1:{runner.addresses[0][1]}" for runner in runners)
    yield told
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def adapter(provider: Provider) -> AsyncIterator[InapasIdentity]:
    provider.changed.clear()
    client = built(provider.issuer)
    yield InapasIdentity(client)
    await client.close()


def built(url: str, **credentials: str) -> AgencyClient:
    manifest = integration_manifests()["inapas"]
    given: Mapping[str, str] = {**manifest.wanted.credentials, **credentials}
    return AgencyClient(manifest, BackendSettings("inapas", url, given, manifest.wanted.settings))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_no_address_leads_elsewhere(provider: Provider, adapter: InapasIdentity, endpoint: str) -> None:
    for address in ELSEWHERE:
        provider.changed = {endpoint: provider.fill(address)}
        with pytest.raises(AgencyUnavailable):
            await adapter.begin(START)
        with pytest.raises(AgencyUnavailable):
            await adapter.finish(BACK)
    assert provider.hits == []


async def test_another_issuer_is_not_believed(provider: Provider, adapter: InapasIdentity) -> None:
    for issuer in (provider.inside, provider.issuer + "/", provider.issuer.upper(), "https://inapas.go.id", 1, None):
        provider.changed = {"issuer": issuer}
        with pytest.raises(AgencyUnavailable):
            await adapter.begin(START)


async def test_its_own_addresses_are_used(provider: Provider, adapter: InapasIdentity) -> None:
    """So that the refusals above mean something."""
    assert (await adapter.begin(START)).startswith(f"{provider.issuer}/authorization_endpoint?")


@pytest.mark.parametrize("url", ["http://inapas.example.go.id", "http://10.0.0.1", "ftp://127.0.0.2"])
def test_who_somebody_is_does_not_come_in_the_clear(url: str) -> None:
    with pytest.raises(SettingsError):
        InapasIdentity(built(url))


@pytest.mark.parametrize("kind", ["nothing", "no base64", "no key", "an RSA key"])
def test_a_key_that_cannot_be_used_is_named(kind: str) -> None:
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    given = {
        "nothing": "",
        "no base64": "!!!",
        "no key": base64.b64encode(secrets.token_bytes(80)).decode(),
        "an RSA key": base64.b64encode(rsa).decode(),
    }[kind]
    with pytest.raises(SettingsError, match="LOKET_INAPAS_SIGNING_KEY"):
        InapasIdentity(built("https://inapas.example.go.id", signing_key=given))

"""What production settings add: known hosts only, and only over HTTPS from then on."""

import base64
import secrets
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP521R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.manifest import integration_manifests
from app.settings import read_settings
from tests.harness.product import Api, Running
from tests.harness.provider import Pkce, question, register

HOST = "loket.kota.example"


@pytest.fixture(scope="module")
def api(environment: dict[str, str], start_process: Callable[..., Running]) -> Api:
    """`loket serve` as a process, with everything set that production asks for."""
    given = {
        "LOKET_ENV": "production",
        "LOKET_LIMITS": "strict",
        "LOKET_PUBLIC_URL": f"https://{HOST}",
        "LOKET_DATA_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "LOKET_INDEX_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    for name, manifest in integration_manifests().items():
        prefix = f"LOKET_{name.upper()}"
        given[f"{prefix}_URL"] = "http://127.0.0.1:9"
        given[f"{prefix}_NETWORKS"] = "127.0.0.0/8"
        given |= {f"{prefix}_{key.upper()}": value for key, value in manifest.settings.items()}
        given |= {f"{prefix}_FACILITIES": "{}"} if manifest.each_facility else {}
        given |= {f"{prefix}_{key.upper()}": credential(key) for key in manifest.credentials}
    running = start_process("serve", **given)
    api = Api(read_settings({**environment, **given}))
    api.url = f"http://127.0.0.1:{environment['LOKET_PORT']}"
    running.wait_for("Uvicorn running")
    return api


def credential(name: str) -> str:
    """A new one, of the form that one of this name has."""
    if name != "signing_key":
        return secrets.token_hex(16)
    key = generate_private_key(SECP521R1())
    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


async def test_cookies_are_this_hosts_alone_and_never_in_the_clear(api: Api) -> None:
    """No other host of the city can plant one, no script reads it, no other site's form brings it along."""
    ours = await register(api, "production", public_keys=())
    async with api.client() as client:
        page = await client.get("/oauth/authorize", params=question(ours, Pkce()), headers={"Host": HOST})
        national = await client.get(
            "/v1/login/inapas/callback", params={"state": "x", "code": "y"}, headers={"Host": HOST}
        )
    name, *attributes = page.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-loket=")
    assert {each.lower() for each in attributes} == {"path=/", "httponly", "secure", "samesite=lax"}
    assert national.status_code == 400


async def test_its_own_host_is_served(api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/v1/services", headers={"Host": HOST})
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize("host", ["evil.example", f"{HOST}.evil.example", f"evil.example:443@{HOST}", "127.0.0.1", ""])
@pytest.mark.parametrize(
    ("language", "detail"), [("id", "Nama host tidak dikenal."), ("en", "This host name is not served here.")]
)
async def test_no_other_host_is(api: Api, host: str, language: str, detail: str) -> None:
    async with api.client(language=language) as client:
        answer = await client.get("/v1/services", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == language
    problem = answer.json()
    assert (problem["code"], problem["detail"]) == ("host_not_allowed", detail)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_those_who_watch_the_processes_need_no_host(api: Api, path: str) -> None:
    async with api.client() as client:
        answer = await client.get(path, headers={"Host": "10.0.0.7:8000"})
    assert answer.json()["status"] in ("ok", "ready", "not_ready")

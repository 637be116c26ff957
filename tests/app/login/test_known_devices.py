"""A device used before works on while strangers' tries keep new ones out; and by itself it opens nothing."""

import base64
import time
from contextlib import suppress

import pytest

from app.errors import TooManyRequests
from app.limits import Hit, Limiter
from app.login.known_devices import LIFE_S, device_token, known_device
from app.valkey import Valkey
from tests.app.login.journey import PASSWORD, WRONG_PASSWORD, Journey, assert_problem, somebody
from tests.harness.keys import vault_of

VAULT = vault_of(b"d" * 32, b"i" * 32)
NIK, OTHER = VAULT.index("nik", "1"), VAULT.index("nik", "2")


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    """This module's product counts."""
    environment["LOKET_LIMITS"] = "strict"
    return environment


async def start(journey: Journey, nik: str, password: str = PASSWORD, token: str = "") -> tuple[int, str]:
    async with journey.api.client() as client:
        answer = await client.post("/v1/login/sessions", json={"nik": nik, "password": password, "device_token": token})
    return answer.status_code, answer.json().get("challenge_id", "")


async def test_a_stranger_cannot_keep_a_known_device_out(journey: Journey) -> None:
    person = somebody()
    token = (await journey.register(person))["device_token"]
    assert [(await start(journey, person.nik, WRONG_PASSWORD))[0] for _ in range(11)] == [200] * 10 + [429]
    assert (await start(journey, person.nik))[0] == 429, "a new device has to wait"
    status, challenge_id = await start(journey, person.nik, token=token)
    assert status == 200
    async with journey.api.client() as client:
        tokens = await journey.answer(client, challenge_id, await journey.code(person.phone))
    assert tokens.status_code == 201
    assert tokens.json()["device_token"] not in ("", token)


async def test_neighbours_cannot_keep_a_known_device_out(journey: Journey, valkey_url: str) -> None:
    person = somebody()
    token = (await journey.register(person))["device_token"]
    valkey = Valkey(valkey_url, budget_s=10)
    address = Hit("login.sessions.address", "127.0.0.1", 300, 900)
    limiter = Limiter(valkey, lifted=False)
    with suppress(TooManyRequests):
        while True:
            await limiter.count(address)
    try:
        assert (await start(journey, somebody().nik))[0] == 429
        assert (await start(journey, person.nik, token=token))[0] == 200
    finally:
        await valkey.run_script("return redis.call('DEL', KEYS[1])", [address.place], [])
        await valkey.close()


async def test_a_known_device_has_a_limit_of_its_own_and_needs_password_and_code(journey: Journey) -> None:
    person = somebody()
    token = (await journey.register(person))["device_token"]
    statuses = [(await start(journey, person.nik, WRONG_PASSWORD, token))[0] for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    assert (await start(journey, person.nik))[0] == 200, "which takes nothing from new devices"
    assert len(await journey.notes(person.phone)) == 2, "one code for registering, one for the right password"


async def test_another_persons_device_is_a_strangers(journey: Journey) -> None:
    mine, victim = somebody(), somebody()
    token = (await journey.register(mine))["device_token"]
    statuses = [(await start(journey, victim.nik, WRONG_PASSWORD, token))[0] for _ in range(11)]
    assert statuses == [200] * 10 + [429]


async def test_a_refresh_gives_no_new_one(journey: Journey) -> None:
    tokens = await journey.register(somebody())
    async with journey.api.client() as client:
        assert "device_token" not in (await journey.refresh(client, tokens["refresh_token"])).json()


@pytest.mark.parametrize("token", ["x" * 129, "a b", "é", "\u0001", 7, None])
async def test_what_cannot_be_a_token_is_refused(journey: Journey, token: object) -> None:
    async with journey.api.client() as client:
        body = {"nik": somebody().nik, "password": PASSWORD, "device_token": token}
        assert_problem(await client.post("/v1/login/sessions", json=body), 422, "validation_failed")


def test_a_token_is_one_accounts_and_whole() -> None:
    token = device_token(VAULT, NIK)
    known = known_device(VAULT, NIK, token)
    assert known is not None
    assert len(known) == 16
    assert device_token(VAULT, NIK) != token
    assert known_device(VAULT, OTHER, token) is None
    raw = base64.urlsafe_b64decode(token)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        assert known_device(VAULT, NIK, base64.urlsafe_b64encode(changed).decode()) is None
    for cut in ("", "=", "A", "AAAA", token[:-4], token[4:], token + "AAAA"):
        assert known_device(VAULT, NIK, cut) is None


def test_an_old_token_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    token = device_token(VAULT, NIK)
    later = time.time() + LIFE_S + 1
    monkeypatch.setattr("app.login.known_devices.time.time", lambda: later)
    assert known_device(VAULT, NIK, token) is None

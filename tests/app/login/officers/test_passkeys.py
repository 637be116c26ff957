"""Officers' passkeys: made from a fresh session, used in place of a code after the password, gone with a recovery."""

from typing import Any

import httpx
import pytest

from tests.harness.authenticator import HONEST, Authenticator, Bent
from tests.harness.browser import browser, virtual_authenticator
from tests.harness.officer_login import answer, challenge, code
from tests.harness.officers import PASSWORD, OfficerAtWork, Officers
from tests.harness.product import Api
from tests.harness.tables import Tables


async def made(officer: OfficerAtWork, device: Authenticator, name: str = "Laptop") -> httpx.Response:
    started = (await officer.post("/v1/officer/passkeys/options")).json()
    body = {"challenge_id": started["challenge_id"], "credential": device.create(started["options"]), "name": name}
    return await officer.post("/v1/officer/passkeys", body)


async def used(
    api: Api, name: str, device: Authenticator, bent: Bent = HONEST, *, password: str = PASSWORD
) -> httpx.Response:
    async with api.client() as client:
        asked = (await challenge(client, name, password)).json()
        body = {"method": "passkey", "credential": device.get(asked["passkey"], bent)}
        return await client.post(f"/v1/officer/login/{asked['challenge_id']}", json=body)


@pytest.fixture
def device(api: Api) -> Authenticator:
    return Authenticator(f"http://localhost:{api.settings.port}")


async def test_made_used_listed_and_removed(api: Api, officers: Officers, device: Authenticator) -> None:
    officer = await officers.make("operator", "dinkes")
    added = await made(officer, device)
    assert added.status_code == 201, added.text
    opened = await used(api, officer.name, device)
    assert opened.status_code == 201, opened.text
    async with api.client(opened.json()["access_token"]) as client:
        assert (await client.get("/v1/officer/me")).json()["name"] == officer.name
        listed = (await client.get("/v1/officer/passkeys")).json()["items"]
        assert [(each["name"], each["last_used_at"] is not None) for each in listed] == [("Laptop", True)]
        assert (await client.delete(f"/v1/officer/passkeys/{listed[0]['id']}")).status_code == 204
    assert (await used(api, officer.name, device)).json()["code"] == "passkey_wrong"


BENT = {
    "origin": Bent(origin="https://loket.example"),
    "domain": Bent(domain="loket.example"),
    "challenge": Bent(challenge="AAAA"),
    "embedded": Bent(cross_origin=True),
    "unverified": Bent(verified=False),
    "signature": Bent(signature=b"\x30\x06\x02\x01\x01\x02\x01\x01"),
    "counter": Bent(counter=0),
    "owner": Bent(user_handle="AAAA"),
}


@pytest.mark.parametrize("bent", BENT.values(), ids=list(BENT))
async def test_nothing_bent_opens(api: Api, officers: Officers, device: Authenticator, bent: Bent) -> None:
    officer = await officers.make()
    await made(officer, device)
    assert (await used(api, officer.name, device)).status_code == 201
    refused = await used(api, officer.name, device, bent)
    assert (refused.status_code, refused.json()["code"]) == (422, "passkey_wrong")


async def test_without_the_password_or_for_another_it_opens_nothing(
    api: Api, officers: Officers, device: Authenticator
) -> None:
    officer, other = await officers.make(), await officers.make()
    await made(officer, device)
    for name, password in ((officer.name, "not-this-one"), (other.name, PASSWORD), ("nobody.at.all", PASSWORD)):
        refused = await used(api, name, device, password=password)
        assert (refused.status_code, refused.json()["code"]) == (422, "passkey_wrong")
    assert (await officer.client.delete("/v1/officer/passkeys/01970000-0000-7000-8000-000000000000")).status_code == 404
    theirs = (await officer.get("/v1/officer/passkeys")).json()["items"][0]["id"]
    assert (await other.client.delete(f"/v1/officer/passkeys/{theirs}")).status_code == 404


async def test_a_challenge_is_for_one_purpose_and_good_once(
    api: Api, officers: Officers, device: Authenticator
) -> None:
    """Else whoever sits at an open session could log in elsewhere without the password."""
    officer = await officers.make()
    await made(officer, device)
    started = (await officer.post("/v1/officer/passkeys/options")).json()
    options = {"challenge": started["options"]["challenge"], "rpId": started["options"]["rp"]["id"]}
    async with api.client() as client:
        body = {"method": "passkey", "credential": device.get(options)}
        crossed = await client.post(f"/v1/officer/login/{started['challenge_id']}", json=body)
        assert crossed.status_code == 404
        asked = (await challenge(client, officer.name)).json()
        body = {"method": "passkey", "credential": device.get(asked["passkey"])}
        answers = [await client.post(f"/v1/officer/login/{asked['challenge_id']}", json=body) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 422]
    assert answers[1].json()["code"] == "passkey_used"


async def test_sent_twice_added_once_and_at_most_five(api: Api, officers: Officers) -> None:
    officer = await officers.make()
    origin = f"http://localhost:{api.settings.port}"
    started = (await officer.post("/v1/officer/passkeys/options")).json()
    credential = Authenticator(origin).create(started["options"])
    body = {"challenge_id": started["challenge_id"], "credential": credential}
    twice = [(await officer.post("/v1/officer/passkeys", body)).json()["id"] for _ in range(2)]
    assert twice[0] == twice[1]
    for _ in range(4):
        assert (await made(officer, Authenticator(origin))).status_code == 201
    assert (await officer.post("/v1/officer/passkeys/options")).json()["code"] == "too_many_passkeys"


async def test_an_old_session_makes_none(api: Api, officers: Officers, device: Authenticator) -> None:
    officer = await officers.make()
    started = (await officer.post("/v1/officer/passkeys/options")).json()
    async with Tables(api.settings.database_url) as tables:
        await tables.run(
            "UPDATE officer_sessions SET created_at = now() - interval '11 minutes' WHERE officer_id = $1", officer.id
        )
    assert (await officer.post("/v1/officer/passkeys/options")).json()["code"] == "officer_session_old"
    body = {"challenge_id": started["challenge_id"], "credential": device.create(started["options"])}
    assert (await officer.post("/v1/officer/passkeys", body)).json()["code"] == "officer_session_old"


async def test_codes_that_shut_the_account_do_not_shut_its_owner_out(
    api: Api, officers: Officers, device: Authenticator
) -> None:
    officer = await officers.make()
    await made(officer, device)
    async with api.client() as client:
        for _ in range(3):
            asked = (await challenge(client, officer.name)).json()["challenge_id"]
            for _ in range(5):
                await answer(client, asked, "000000")
        asked = (await challenge(client, officer.name)).json()["challenge_id"]
        assert (await answer(client, asked, code())).json()["code"] == "officer_locked"
    assert (await used(api, officer.name, device)).status_code == 201


async def test_recovery_takes_them_away(api: Api, officers: Officers, device: Authenticator) -> None:
    officer = await officers.make()
    await made(officer, device)
    asks, decides = await officers.make("city_admin"), await officers.make("city_admin")
    asked = await asks.post(f"/v1/officer/officers/{officer.id}/recovery", {"reason": "Laptop hilang"})
    await decides.post(f"/v1/officer/recoveries/{asked.json()['id']}/approval")
    async with Tables(api.settings.database_url) as tables:
        assert await tables.value("SELECT count(*) FROM officer_passkeys WHERE officer_id = $1", officer.id) == 0


async def test_in_a_real_browser(api: Api, officers: Officers) -> None:
    """Made on the page with the browser's own authenticator, and used at the next login, all by our own script."""
    officer = await officers.make("supervisor", "dinkes")
    url = f"http://localhost:{api.settings.port}"
    async with browser() as opened:
        page = await opened.new_page()
        faults: list[Any] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        await virtual_authenticator(page)

        async def begin() -> None:
            await page.goto(f"{url}/dashboard/login")
            await page.fill("#name", officer.name)
            await page.fill("#password", PASSWORD)
            await page.click("main button.primary")

        await begin()
        await page.fill("#code", code())
        await page.click("main button.primary")
        await page.goto(f"{url}/dashboard/passkeys")
        await page.click("main form[action$='/new'] button")
        await page.fill("#name", "Laptop kantor")
        await page.click("form[data-passkey] button")
        await page.wait_for_url("**/dashboard/passkeys?done=passkey_added")
        assert "Laptop kantor" in await page.content()
        await page.click(".person form[action='/dashboard/logout'] button")
        await begin()
        await page.click("form[data-passkey] button")
        await page.wait_for_url("**/dashboard")
        assert "Selamat bekerja" in await page.content()
        assert not faults

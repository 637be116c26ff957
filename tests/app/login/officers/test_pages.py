"""Officers' pages without a script: in with password and code, what the start page tells, and out again."""

from collections.abc import AsyncIterator

import pytest

from tests.harness.officer_login import Pages, code
from tests.harness.officers import Officers
from tests.harness.product import Api
from tests.harness.tables import Tables


@pytest.fixture
async def pages(api: Api) -> AsyncIterator[Pages]:
    opened = Pages(api.url)
    yield opened
    await opened.close()


async def test_in_and_out(api: Api, officers: Officers, pages: Pages) -> None:
    officer = await officers.make("supervisor", "dinkes")
    assert (await pages.get("/dashboard")).headers["location"] == "/dashboard/login"
    answer = await pages.log_in(officer.name)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    shown = (await pages.get("/dashboard")).text
    for told in (officer.name, "Dinas Kesehatan", "Penyelia", "Petugas Uji", "(di sini)"):
        assert told in shown
    old = dict(pages.cookies)
    left = await pages.send("/dashboard/logout", {})
    assert left.headers["location"] == "/dashboard/login?left=1"
    pages.cookies = old
    assert (await pages.get("/dashboard")).headers["location"] == "/dashboard/login?ended=1"


async def test_a_wrong_code_and_a_wrong_password_look_alike(officers: Officers, pages: Pages) -> None:
    officer = await officers.make()
    for name, password, given in (
        (officer.name, "not-this-one", code()),
        ("nobody.at.all", "Loket-Demo-2026", code()),
        (officer.name, "Loket-Demo-2026", "000000"),
    ):
        await pages.get("/dashboard/login")
        asked = await pages.send("/dashboard/login", {"name": name, "password": password})
        assert asked.status_code == 200
        fields = {"challenge": pages.hidden("challenge"), "code": given}
        refused = await pages.send("/dashboard/login/code", fields)
        assert refused.status_code == 422
        assert "Kode tidak benar." in refused.text
        assert "__Host-officer" not in pages.cookies


async def test_language_is_the_accounts(officers: Officers, pages: Pages) -> None:
    officer = await officers.make()
    await pages.log_in(officer.name)
    await pages.get("/dashboard")
    await pages.send("/dashboard/language", {"language": "en"})
    assert "Welcome, Petugas Uji" in (await pages.get("/dashboard")).text
    assert (await pages.send("/dashboard/language", {"language": "de"})).status_code == 422


async def test_one_of_several_sessions_is_ended(api: Api, officers: Officers, pages: Pages) -> None:
    officer = await officers.make()
    await pages.log_in(officer.name)
    await pages.get("/dashboard")
    async with Tables(api.settings.database_url) as tables:
        other = await tables.value(
            "SELECT id FROM officer_sessions WHERE officer_id = $1 AND kind = 'token'", officer.id
        )
    assert (await pages.send(f"/dashboard/sessions/{other}/end", {})).status_code == 303
    assert (await officer.get("/v1/officer/me")).json()["code"] == "session_revoked"
    await pages.get("/dashboard")
    assert (await pages.send(f"/dashboard/sessions/{other}/end", {})).status_code == 404

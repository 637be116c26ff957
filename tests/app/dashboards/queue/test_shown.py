"""What a case's page says in words: what the agency gave, days, why something waits, and where to look further."""

import json
import re
from collections.abc import AsyncIterator
from datetime import date

import pytest

from app.assembly import Product
from app.dashboards.queue.pages import products_of
from app.dashboards.queue.reading import answer_shown
from app.texts import LANGUAGES, has_text, load_texts, text_roots
from tests.harness.cases import hand_in
from tests.harness.deliveries import before_officer
from tests.harness.officer_login import Pages
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

# What ports give of a case: services/*/port.py.
GIVEN = ("licence_number", "certificate_number", "ticket_number", "position", "expected_at")


@pytest.fixture(autouse=True, scope="module")
def loaded_texts() -> None:
    load_texts(*text_roots())


@pytest.fixture
async def pages(api: Api) -> AsyncIterator[Pages]:
    opened = Pages(api.url)
    yield opened
    await opened.close()


def test_whatever_an_agency_gives_has_words() -> None:
    assert [name for name in GIVEN if not has_text(f"queue.product.{name}")] == []
    for language in LANGUAGES:
        told = products_of(
            {"ticket_number": "A-7", "position": "", "expected_at": "2026-11-22T09:05:00+07:00"}, language
        )
        assert [kind for _, kind, _ in told] == ["text", "moment"], "what is empty is not shown"
    assert products_of({"colour_code": "x"}, "en") == [("colour code", "text", "x")]


def test_a_day_is_a_day() -> None:
    assert answer_shown("2026-12-01", {"type": "string", "format": "date"}, {}) == ("day", date(2026, 12, 1))


async def test_a_page_says_it(
    product: Product, tables: Tables, officers: Officers, people: People, pages: Pages
) -> None:
    case, delivery_id = await before_officer(product, tables, await people.make())
    given = json.dumps({"licence_number": "503/17/2026", "expected_at": "2026-11-22T02:05:00+00:00"})
    await tables.run("UPDATE cases SET product = $2::jsonb WHERE id::text = $1", case["id"], given)
    await tables.run("UPDATE deliveries SET reason = 'cannot_tell' WHERE id = $1", delivery_id)
    await pages.sit_down(product, await officers.make("supervisor"))
    shown = (await pages.get(f"/dashboard/cases/{case['id']}")).text
    assert "<dt>Nomor izin</dt><dd>503/17/2026</dd>" in shown
    assert "<span>09.05 WIB</span>" in shown
    assert f'href="/dashboard/desk/{delivery_id}"' in shown
    assert "Jawaban instansi hilang" in shown
    desk = (await pages.get(f"/dashboard/desk/{delivery_id}")).text
    assert f'href="/dashboard/cases/{case["id"]}"' in desk
    assert 'href="/dashboard/systems/sicantik"' in desk


async def test_what_was_not_found_is_named(product: Product, officers: Officers, people: People, pages: Pages) -> None:
    await hand_in(await people.make())
    for officer, words in (
        (await officers.make("operator"), "Tidak ditemukan di instansi Anda."),
        (await officers.make("city_admin"), "Tidak ditemukan."),
    ):
        await pages.sit_down(product, officer)
        await pages.get("/dashboard/cases")
        shown = (await pages.send("/dashboard/cases/search", {"q": "REG-<b>-404"})).text
        assert words in shown
        assert 'value="REG-&lt;b&gt;-404"' in shown
        shown = (await pages.send("/dashboard/cases/search", {"q": "3571-26-0000001-9"})).text
        assert "salah ketik" in shown


async def test_one_box_finds_by_each_number_and_keeps_all_of_them_out_of_addresses(
    product: Product, tables: Tables, officers: Officers, people: People, pages: Pages
) -> None:
    """However the number is typed; an agency's own also where its check digit is right by chance."""
    citizen = await people.make()
    case, other = await hand_in(citizen), await hand_in(citizen)
    lucky = "0000000000000000"
    reference = "UPDATE cases SET agency_reference = $2, delivery_state = 'delivered' WHERE id::text = $1"
    await tables.run(reference, case["id"], lucky)
    await pages.sit_down(product, await officers.make("operator"))
    listed = (await pages.get("/dashboard/cases")).text
    assert 'method="get" action="/dashboard/cases" class="card search"' not in listed
    number = case["number"]
    for typed in (number, f" {number} ", number.replace("-", " "), number.replace("-", ""), lucky):
        found = await pages.send("/dashboard/cases/search", {"q": typed})
        assert (found.status_code, found.headers["location"]) == (303, f"/dashboard/cases/{case['id']}"), typed
    found = await pages.send("/dashboard/cases/search", {"q": citizen.person.nik})
    assert found.status_code == 200
    assert [each in found.text for each in (number, other["number"])] == [True, True]
    await pages.sit_down(product, await officers.make("city_admin"))
    await pages.get("/dashboard/cases")
    found = await pages.send("/dashboard/cases/search", {"q": citizen.person.nik})
    assert number not in found.text, "whose cases they are is the agency's business alone"
    assert citizen.person.nik not in found.text


async def test_an_open_page_hears_of_news(
    product: Product, tables: Tables, officers: Officers, people: People, pages: Pages
) -> None:
    """For its script; nobody's data are in it, and so it is no look at them."""
    case, _ = await before_officer(product, tables, await people.make())
    officer = await officers.make("supervisor", language="en")
    await pages.sit_down(product, officer)
    shown = (await pages.get(f"/dashboard/cases/{case['id']}")).text
    [path] = re.findall(r'data-live="([^"]*/news[^"]*)"', shown)
    looks = "SELECT count(*) FROM audit_rows WHERE actor_id = $1"
    before = await tables.value(looks, str(officer.id))
    await tables.run("UPDATE cases SET refreshed_at = '2026-11-22T02:05:00Z' WHERE id::text = $1", case["id"])
    assert (await pages.get(path)).json() == {"is": "same", "refreshed": "22 Nov 2026, 09:05 WIB"}
    await tables.run("UPDATE cases SET last_event = last_event + 1 WHERE id::text = $1", case["id"])
    assert (await pages.get(path)).json()["is"] == "changed"
    assert await tables.value(looks, str(officer.id)) == before
    await pages.sit_down(product, await officers.make("supervisor", "dinkes"))
    assert (await pages.get(path)).status_code == 404

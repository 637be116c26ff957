"""Forms of officers' pages that are refused come back with what was typed and what is wrong; so do those that came when
the session was over. What another officer did meanwhile is seen, and no word is lost."""

import html
import re
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import msgspec
import pytest

from app.assembly import Product
from app.login.guards import Role
from app.login.officers.browsers import SESSION
from app.texts import Language
from tests.harness.cases import hand_in
from tests.harness.deliveries import before_officer
from tests.harness.officer_login import Pages, code
from tests.harness.officers import PASSWORD, OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

LONG = "Mohon kirim denah lokasi yang baru,\r\nkarena <yang lama> tidak terbaca & buram."
SYSTEM, EXPORTS = "/dashboard/systems/sicantik", "/dashboard/figures/exports"


class Refused(msgspec.Struct, frozen=True):
    """A form that is filled in wrong. `typed` must stand in it again; `wrong`: the element with a fault beside it."""

    role: Role
    path: str
    fields: dict[str, str]
    typed: tuple[str, ...] = ()
    wrong: str = ""
    status: int = 422


REFUSED = {
    "a note too short": Refused("supervisor", "/dashboard/cases/{case}/notes", {"words": "x"}, ("x",), "words"),
    "a note of blanks": Refused(
        "supervisor", "/dashboard/cases/{case}/notes", {"words": " \u00a0\u200b\r\n "}, (), "words"
    ),
    "a question of blanks": Refused(
        "supervisor", "/dashboard/cases/{case}/questions", {"question": " " * 9}, (), "question"
    ),
    "a reason of blanks": Refused("operator", f"{SYSTEM}/pause", {"reason": " " * 9}, (), "pause-reason"),
    "a question too long": Refused(
        "supervisor", "/dashboard/cases/{case}/questions", {"question": LONG * 20}, (LONG,), "question"
    ),
    "no case chosen": Refused(
        "supervisor", "/dashboard/cases/assign", {"officer": "", "back": "/dashboard/cases?clock=late"}
    ),
    "filters without a name": Refused(
        "operator",
        "/dashboard/views",
        {"name": " ", "query": '{"clock":"late"}', "back": "/dashboard/cases?clock=late"},
        (),
        "name",
    ),
    "too little to search for": Refused("operator", "/dashboard/cases/search", {"q": "35"}, ("35",), "q"),
    "no warning chosen": Refused("supervisor", "/dashboard/warnings/seen", {}),
    "a pause without a reason": Refused("operator", f"{SYSTEM}/pause", {"reason": "x"}, ("x",), "pause-reason"),
    "maintenance in the past": Refused(
        "supervisor",
        f"{SYSTEM}/maintenance",
        {"starts_at": "2020-01-01T10:00", "ends_at": "2020-01-01T12:00", "reason": LONG},
        ("2020-01-01T10:00", "2020-01-01T12:00", LONG),
        "starts_at",
    ),
    "maintenance that ends on no day": Refused(
        "supervisor",
        f"{SYSTEM}/maintenance",
        {"starts_at": "", "ends_at": "2099-13-01T12:00", "reason": LONG},
        (LONG,),
        "ends_at",
    ),
    "an unknown operation": Refused(
        "operator", f"{SYSTEM}/breaker", {"operation": "x", "state": "open", "reason": LONG}, (LONG,), "hold-operation"
    ),
    "a retry without a reason": Refused(
        "operator", "/dashboard/desk/{delivery}/retry", {"reason": "x"}, ("x",), "retry-reason"
    ),
    "delivered under no number": Refused(
        "operator",
        "/dashboard/desk/{delivery}/resolve",
        {"outcome": "delivered", "reason": LONG, "reference": ""},
        (LONG,),
        "reference",
    ),
    "many retries without a reason": Refused(
        "operator", "/dashboard/desk/retry", {"ids": "{delivery}", "reason": "x"}, ("x",), "many-reason"
    ),
    "an export from no day": Refused(
        "supervisor",
        EXPORTS,
        {"kind": "survey", "format": "csv", "from_on": "2026-02-31"},
        (),
        "from_on",
    ),
    "a NIK nobody has": Refused("auditor", "/dashboard/audit/subjects", {"nik": "35710"}, ("35710",), "nik"),
}


@pytest.fixture
async def pages(api: Api) -> AsyncIterator[Pages]:
    opened = Pages(api.url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("name", REFUSED)
async def test_what_was_typed_stands_in_it_again(
    product: Product,
    tables: Tables,
    officers: Officers,
    people: People,
    pages: Pages,
    name: str,
    language: Language,
) -> None:
    refused = REFUSED[name]
    case, delivery_id = await before_officer(product, tables, await people.make())
    await pages.sit_down(product, await officers.make(refused.role, language=language))
    await pages.get("/dashboard")
    before = await tables.digest()
    path, fields = refused.path, dict(refused.fields)
    for known, value in (("{case}", case["id"]), ("{delivery}", str(delivery_id))):
        path = path.replace(known, value)
        fields = {field: typed.replace(known, value) for field, typed in fields.items()}
    answer = await pages.send(path, fields)
    assert answer.status_code == refused.status, answer.text
    assert await tables.changed_since(before) in ([], ["audit_rows"]), "nothing but who was shown the page"
    shown = html.unescape(answer.text)
    assert f'<html lang="{language}">' in shown
    assert 'id="problem" role="alert" tabindex="-1" autofocus' in shown
    for typed in refused.typed:
        assert f'value="{typed}"' in shown or f"\n{typed}" in shown, typed
    if refused.wrong:
        assert f'id="{refused.wrong}-fault"' in shown
        assert re.search(rf'<[a-z]+ id="{refused.wrong}" [^>]*aria-describedby="{refused.wrong}-fault', answer.text)
        assert f'<a href="#{refused.wrong}">' in shown, "the summary leads there"
        assert f'aria-describedby="{refused.wrong}-fault' in shown
    # The page says which one it came from, so that the next try leads back there.
    if "back" in fields:
        assert f'name="back" value="{fields["back"]}"' in shown


async def test_ticks_and_choices_stay(
    product: Product, tables: Tables, officers: Officers, people: People, pages: Pages
) -> None:
    case, delivery_id = await before_officer(product, tables, await people.make())
    await pages.sit_down(product, await officers.make("operator"))
    place = f"/dashboard/desk?case={case['number']}"
    await pages.get(place)
    fields = {"back": place, "ids": str(delivery_id), "backend": "sicantik", "reason": "x"}
    shown = (await pages.send("/dashboard/desk/retry", fields)).text
    assert f'value="{delivery_id}" checked' in shown
    assert '<option value="sicantik" selected' in shown
    assert shown.count("selected") == 1, "the filter of the same name stands as it was"


@pytest.mark.parametrize("how", ["settled", "asked already"])
async def test_who_comes_later_sees_what_was_done_and_keeps_their_words(
    api: Api, product: Product, tables: Tables, officers: Officers, people: People, pages: Pages, how: str
) -> None:
    """The other was quicker: the form is no longer on the page."""
    case, delivery_id = await before_officer(product, tables, await people.make())
    first, later = await officers.make("supervisor"), await officers.make("supervisor")
    if how == "settled":
        page, path = f"/dashboard/desk/{delivery_id}", f"/dashboard/desk/{delivery_id}/resolve"
        fields = {"outcome": "rejected", "reason": LONG, "reference": ""}
    else:
        page, path = f"/dashboard/cases/{case['id']}", f"/dashboard/cases/{case['id']}/questions"
        fields = {"question": LONG}
    await pages.sit_down(product, later)
    await pages.get(page)
    quicker = Pages(api.url)
    await quicker.sit_down(product, first)
    await quicker.get(page)
    done = {**fields, **({"question": "Berapa tinggi tiangnya?"} if how == "asked already" else {})}
    assert (await quicker.send(path, done)).status_code == 303
    if how == "settled":
        second = await officers.make("operator")
        await quicker.sit_down(product, second)
        await quicker.get(page)
        assert (await quicker.send(path, done)).status_code == 303
    await quicker.close()
    answer = await pages.send(path, fields)
    shown = html.unescape(answer.text)
    assert answer.status_code == 409
    assert first.name in shown, "who did it"
    summary = shown.partition('id="problem"')[2].partition("</div>")[0]
    assert LONG in summary, "their own words are kept"
    if how == "asked already":
        assert "Berapa tinggi tiangnya?" in shown


async def _log_in_again(pages: Pages, officer: OfficerAtWork) -> httpx.Response:
    after = pages.hidden("after")
    await pages.send("/dashboard/login", {"name": officer.name, "password": PASSWORD, "after": after})
    after = pages.hidden("after")
    given = {"challenge": pages.hidden("challenge"), "code": code(), "after": after}
    return await pages.send("/dashboard/login/code", given)


async def _end(tables: Tables, officer: OfficerAtWork) -> None:
    """As half an hour at another desk does."""
    ended = "UPDATE officer_sessions SET last_used_at = now() - interval '31 minutes' WHERE officer_id = $1"
    await tables.run(ended, officer.id)


async def test_a_form_goes_through_the_login(
    product: Product, tables: Tables, officers: Officers, people: People, pages: Pages
) -> None:
    case, officer = await hand_in(await people.make()), await officers.make("supervisor")
    path = f"/dashboard/cases/{case['id']}"
    await pages.sit_down(product, officer)
    await pages.get(path)
    await _end(tables, officer)
    refused = await pages.send(f"{path}/questions", {"question": LONG, "back": path})
    assert refused.status_code == 401
    assert "denah" not in refused.text, "sealed: whoever sits there now reads nothing"
    assert SESSION not in pages.cookies
    entered = await _log_in_again(pages, officer)
    assert entered.status_code == 200
    again = {name: html.unescape(value) for name, value in _hidden(pages.shown).items() if name != "mark"}
    assert again["question"] == LONG
    shown = await pages.send(f"{path}/questions", again)
    assert shown.status_code == 409
    assert LONG in html.unescape(shown.text)
    asked = "SELECT count(*) FROM case_work WHERE case_id = $1 AND kind = 'asked'"
    assert await tables.value(asked, UUID(case["id"])) == 0, "only shown"
    assert (await pages.send(f"{path}/questions", {"question": LONG, "back": path})).status_code == 303
    assert await tables.value(asked, UUID(case["id"])) == 1


async def test_another_officer_does_not_get_it(
    product: Product, tables: Tables, officers: Officers, people: People, pages: Pages
) -> None:
    case, officer = await hand_in(await people.make()), await officers.make("supervisor")
    path = f"/dashboard/cases/{case['id']}"
    await pages.sit_down(product, officer)
    await pages.get(path)
    await _end(tables, officer)
    await pages.send(f"{path}/notes", {"words": LONG, "back": path})
    entered = await _log_in_again(pages, await officers.make("supervisor"))
    assert (entered.status_code, entered.headers["location"]) == (303, "/dashboard")


async def test_a_page_is_where_a_login_leads_back_to(
    product: Product, tables: Tables, officers: Officers, pages: Pages
) -> None:
    officer = await officers.make("supervisor")
    await pages.sit_down(product, officer)
    await _end(tables, officer)
    sent = await pages.get("/dashboard/cases?clock=late")
    assert sent.headers["location"] == "/dashboard/login?ended=1&after=%2Fdashboard%2Fcases%3Fclock%3Dlate"
    await pages.get(sent.headers["location"])
    entered = await _log_in_again(pages, officer)
    assert entered.headers["location"] == "/dashboard/cases?clock=late"


@pytest.mark.parametrize("after", ["https://evil.example/", "//evil.example/", "/v1/me", "\\\\evil", "x" * 60])
async def test_a_login_leads_nowhere_else(product: Product, officers: Officers, pages: Pages, after: str) -> None:
    await pages.get(f"/dashboard/login?after={after}")
    assert after not in pages.shown
    await pages.send("/dashboard/login", {"name": (await officers.make()).name, "password": PASSWORD, "after": after})
    given = {"challenge": pages.hidden("challenge"), "code": code(), "after": after}
    entered = await pages.send("/dashboard/login/code", given)
    assert (entered.status_code, entered.headers["location"]) == (303, "/dashboard")


def _hidden(shown: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', shown, re.DOTALL)
    return dict(found)

"""What cannot be done just now is said on a page that offers it once more: no word is lost, nothing is done twice."""

import html
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from app.assembly import Product
from tests.harness.deliveries import before_officer
from tests.harness.officer_login import Pages
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

WORDS = 'Denah "lama" <buram>,\r\nmohon dicek & diganti.'
_NOTES = "SELECT count(*) FROM case_work WHERE case_id = $1::uuid AND kind = 'note'"


@pytest.fixture
async def pages(api: Api) -> AsyncIterator[Pages]:
    opened = Pages(api.url)
    yield opened
    await opened.close()


async def test_a_form_is_sent_once_more_and_is_done_once(
    product: Product, tables: Tables, officers: Officers, people: People, pages: Pages
) -> None:
    case, _ = await before_officer(product, tables, await people.make())
    await pages.sit_down(product, await officers.make("supervisor"))
    page = f"/dashboard/cases/{case['id']}"
    await pages.get(page)
    async with tables.shut():
        answer = await pages.send(f"{page}/notes", {"words": WORDS, "back": page})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    shown = html.unescape(answer.text)
    assert WORDS in shown.partition('id="problem"')[2].partition("</div>")[0], "to be read, and copied"
    assert f'<form method="post" action="{page}/notes">' in shown
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
    assert set(fields) == {"mark", "words", "back"}
    given = {name: html.unescape(value) for name, value in fields.items()}
    done = [await back_again(pages, f"{page}/notes", given) for _ in range(2)]
    assert [each.status_code for each in done] == [303, 303]
    assert await tables.value(_NOTES, case["id"]) == 1


async def test_a_page_is_opened_once_more_where_it_was(
    product: Product, tables: Tables, officers: Officers, pages: Pages
) -> None:
    await pages.sit_down(product, await officers.make("supervisor"))
    await pages.get("/dashboard")
    async with tables.shut():
        answer = await pages.get("/dashboard/cases?clock=late&status=in_review")
    assert answer.status_code == 503
    assert 'href="/dashboard/cases?clock=late&amp;status=in_review"' in answer.text
    assert "Belum dapat dilakukan" in answer.text


async def test_a_form_that_is_not_ours_is_not_offered_again(
    product: Product, tables: Tables, officers: Officers, pages: Pages
) -> None:
    await pages.sit_down(product, await officers.make("supervisor"))
    await pages.get("/dashboard/cases")
    async with tables.shut():
        answer = await pages.send("/dashboard/views", {"mark": "0" * 96, "name": "<b>x</b>"})
    assert answer.status_code == 503
    assert "<form" not in answer.text
    assert "x</b>" not in html.unescape(answer.text)


async def back_again(pages: Pages, path: str, fields: dict[str, str]) -> httpx.Response:
    """The product's pool may still hold connections that were ended: then it is asked once more, as a person would."""
    for _ in range(50):
        answer = await pages.send(path, fields)
        if answer.status_code != 503:
            return answer
    raise AssertionError("it never came back")

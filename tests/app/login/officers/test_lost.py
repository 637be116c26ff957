"""An address of officers' pages that names nothing: a page for browsers, in the frame of who asks; else a
problem."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.exceptions import NotFoundException

from app.assembly import Product
from app.database import Database
from app.login.officers.browsers import SESSION
from app.login.officers.lost import look_who_asks, on_unrouted
from app.problems import PROBLEM_JSON
from tests.harness.officer_login import Pages
from tests.harness.officers import Officers
from tests.harness.product import Api

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
NOWHERE = ["/dashboard/nothing", "/dashboard/cases/nothing", "/dashboard/systems/sicantik/x/y", "/dashboard/Cases"]


@pytest.fixture
async def pages(api: Api) -> AsyncIterator[Pages]:
    opened = Pages(api.url)
    yield opened
    await opened.close()


async def asked(api: Api, path: str, accept: str, method: str = "GET") -> httpx.Response:
    async with api.client() as client:
        return await client.request(method, path, headers={"Accept": accept})


@pytest.mark.parametrize("path", NOWHERE)
async def test_a_visitor_gets_a_page(api: Api, path: str) -> None:
    answer = await asked(api, path, BROWSER)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "Halaman tidak ditemukan" in answer.text
    assert "/dashboard/cases" not in answer.text, "no menu for who is not logged in"


@pytest.mark.parametrize("path", NOWHERE)
async def test_an_officer_gets_it_in_their_frame_and_language(
    product: Product, officers: Officers, pages: Pages, path: str
) -> None:
    await pages.sit_down(product, await officers.make("supervisor", language="en"))
    answer = await pages.get(path)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, "text/html")
    assert "Page not found" in answer.text
    assert 'href="/dashboard/cases"' in answer.text, "the menu of their role"


@pytest.mark.parametrize("accept", ["application/json", PROBLEM_JSON, "application/json, text/html;q=0.5", "image/png"])
async def test_who_asks_for_json_gets_a_problem(api: Api, accept: str) -> None:
    answer = await asked(api, NOWHERE[0], accept)
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM_JSON)
    assert answer.json()["code"] == "not_found"


async def test_elsewhere_it_is_a_problem_for_browsers_too(api: Api) -> None:
    for path in ("/v1/nothing", "/dashboards", "/v1/cases/nothing"):
        answer = await asked(api, path, BROWSER)
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM_JSON)


async def test_a_forms_address_opened_by_itself_is_a_page(product: Product, officers: Officers, pages: Pages) -> None:
    """As after a refusal: the page stands at the form's address, and somebody calls it up again."""
    await pages.sit_down(product, await officers.make("supervisor"))
    answer = await pages.get("/dashboard/cases/assign")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
    assert "Alamat ini hanya untuk mengirim formulir" in answer.text


async def test_what_another_role_may_see_is_refused_in_ones_own_frame(
    product: Product, officers: Officers, pages: Pages
) -> None:
    await pages.sit_down(product, await officers.make("operator"))
    answer = await pages.get("/dashboard/audit")
    assert answer.status_code == 403
    assert "Anda tidak berhak melakukan ini." in answer.text
    assert 'href="/dashboard/cases"' in answer.text, "the menu of their role"
    assert 'href="/dashboard/audit"' not in answer.text


async def test_a_cookie_of_nobody_is_a_visitors(pages: Pages) -> None:
    pages.cookies[SESSION] = "x" * 43
    answer = await pages.get(NOWHERE[0])
    assert answer.status_code == 404
    assert "/dashboard/cases" not in answer.text


async def test_nobody_searches_addresses_without_end(product: Product, officers: Officers, pages: Pages) -> None:
    """Past a limit nobody is looked up any more; a page comes all the same."""
    await pages.sit_down(product, await officers.make("supervisor"))
    answers = [await pages.get(NOWHERE[0]) for _ in range(35)]
    assert {each.status_code for each in answers} == {404}


class Unreachable:
    """A gate whose database nobody reaches."""

    database = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=1, name="test")


async def test_without_a_database_it_is_a_page_too(product: Product) -> None:
    app: Any = Litestar([], exception_handlers={NotFoundException: on_unrouted}, after_exception=[look_who_asks])
    app.state.update({"gate": Unreachable(), "limiter": product.limiter, "trusted_proxies": ()})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get(NOWHERE[0], headers={"Cookie": f"{SESSION}=x", "Accept": BROWSER})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, "text/html")

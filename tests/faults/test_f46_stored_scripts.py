"""F46 in Chromium: whatever citizens, agencies and officers write is words on officers' pages, and never a page's own.

Each place has words of its own, which have to be seen somewhere: a place that nobody is shown proves nothing.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
import pytest
from playwright.async_api import Browser, Page

from app.assembly import Product
from app.callbacks.strays import SIGN_CONTEXT
from app.cases.attempts import Said
from app.cases.claims import Outcome
from app.cases.models import EXCHANGES_CONTEXT
from app.cases.port import Progress, Step
from app.cases.settle import apply_progress, sealed_words
from app.exchanges import Exchange
from app.login.models import NAME
from app.login.officers.browsers import SESSION
from app.login.officers.models import FULL_NAME
from app.login.officers.sessions import Place, open_officer_session
from tests.harness.browser import browser
from tests.harness.cases import SERVICE, advertising, new_key, send_pdf
from tests.harness.deliveries import delivery_of, ended_as
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

# Out of an attribute and out of an element, each in what the shortest field takes.
SCRIPT = "'\"><img src=x onerror=p()><script>p()</script>"
PLACES = {
    "citizen": ("name", "file", "purpose", "advert", "address", "answer"),
    "agency": ("step", "reason", "product", "number", "detail", "sent", "said", "path", "sign", "called"),
    "officer": ("note", "question", "view", "full", "device", "deed", "window", "passkey", "actor", "object"),
}
WATCHED = "window.p = () => { window.ran = true }"
_INJECTED = (
    """() => [window.ran === true, document.querySelectorAll('[onerror], img[src="x"], script:not([src])').length]"""
)
_STRAY = """
INSERT INTO stray_callbacks (id, backend, agency, digest, about, reference, sign_enc)
VALUES (gen_random_uuid(), 'sicantik', 'dpmptsp', uuid_send(gen_random_uuid()), 'case', $1, $2)
"""
_PASSKEY = """
INSERT INTO officer_passkeys (id, officer_id, credential_id, public_key, sign_count, backed_up, name)
VALUES (gen_random_uuid(), $1, uuid_send(gen_random_uuid()), '', 0, false, $2)
"""
_RECORD = """
INSERT INTO audit_rows (actor_kind, actor_id, action, object_kind, object_id, purpose, legal_basis)
VALUES ('officer', $1, 'case.read', 'case', $2, 'test', 'test')
"""


def words(place: str) -> str:
    return f"[{place}{SCRIPT}"


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


class Hostile:
    """Writes into every place, by the way it comes there, or by hand where today's way there takes no such words."""

    def __init__(self, product: Product, tables: Tables, people: People, lead: OfficerAtWork) -> None:
        self._product, self._tables, self._people, self._lead = product, tables, people, lead

    async def handed_in(self) -> str:
        """A case with everything; its id."""
        citizen = await self._people.make()
        documents = await send_pdf(citizen)
        hide = self._product.vault.encrypt
        await self._tables.run("UPDATE attachments SET name_enc = $1", hide(words("file").encode(), "attachments.name"))
        named = hide(words("name").encode(), NAME)
        await self._tables.run("UPDATE citizens SET name_enc = $1 WHERE id = $2", named, citizen.id)
        texts = {"purpose": words("purpose"), "advert_text": words("advert"), "location_address": words("address")}
        form = advertising(documents, **texts)
        answer = await citizen.post("/v1/cases", {"service": SERVICE, "form": form}, key=new_key())
        assert answer.status_code == 202, answer.text
        case = answer.json()
        asked = await self._lead.post(f"/v1/officer/cases/{case['id']}/questions", {"question": words("question")})
        assert asked.status_code == 204, asked.text
        replied = await citizen.post(f"/v1/cases/{case['id']}/answers", {"answer": words("answer")}, key=new_key())
        assert replied.status_code == 202, replied.text
        noted = await self._lead.post(f"/v1/officer/cases/{case['id']}/notes", {"words": words("note")})
        assert noted.status_code == 204, noted.text
        await self._told_by_agency(case)
        return str(case["id"])

    async def _told_by_agency(self, case: dict[str, Any]) -> None:
        vault, case_id = self._product.vault, UUID(case["id"])
        first = "SELECT id FROM deliveries WHERE case_id = $1 ORDER BY id LIMIT 1"
        handing = await self._tables.value(first, case_id)
        call = Exchange(
            datetime.now(UTC), "register", "POST", words("path"), "failed", 500, 0.1, words("sent"), words("said")
        )
        said = Said(1, 500, vault.encrypt(msgspec.json.encode([call]), EXCHANGES_CONTEXT))
        waiting = Outcome(state="needs_operator", reason="cannot_tell", detail=words("detail"), unknown=True, said=said)
        await ended_as(self._product, handing, waiting)
        deed = await self._lead.post(f"/v1/officer/deliveries/{handing}/retry", {"reason": words("deed")})
        assert deed.status_code < 300, deed.text
        await ended_as(self._product, handing, Outcome(state="delivered", reference=words("number")))
        assert await delivery_of(self._tables, case) != handing, "the answer is on its way, too"
        progress = Progress(
            status="rejected",
            steps=[Step("one", words("step"), "done")],
            reason=words("reason"),
            product={"surat": words("product")},
        )
        zone = self._product.cases.catalog.timezone
        async with self._product.database.begin() as connection:
            await apply_progress(connection, case_id, sealed_words(progress, vault), 60.0, zone)

    async def beside_cases(self) -> None:
        """What stands on no case: on the desk, with systems, in the record, with an officer's own things."""
        hide, run = self._product.vault.encrypt, self._tables.run
        await run(_STRAY, words("called"), hide(words("sign").encode(), SIGN_CONTEXT))
        ends = (datetime.now(UTC) + timedelta(days=2)).isoformat()
        window = {"ends_at": ends, "reason": words("window")}
        assert (await self._lead.post("/v1/officer/backends/sicantik/maintenance", window)).status_code < 300
        kept = await self._lead.post("/v1/officer/views", {"name": words("view"), "filters": {"clock": "late"}})
        assert kept.status_code < 300, kept.text
        await run(_PASSKEY, self._lead.id, words("passkey"))
        full_name = hide(words("full").encode(), FULL_NAME)
        await run("UPDATE officers SET full_name_enc = $1 WHERE id = $2", full_name, self._lead.id)
        await run(_RECORD, words("actor"), words("object"))


async def sat_down(page: Page, product: Product, officer: OfficerAtWork) -> None:
    async with product.database.transaction() as session:
        place = Place(words("device"), "")
        opened = open_officer_session(session, product.vault, officer.id, "page", place)
    cookie = {"name": SESSION, "value": opened.cookie, "domain": "localhost", "path": "/", "secure": True}
    await page.context.add_cookies([cookie])  # type: ignore[list-item] # a cookie


async def shown_on(page: Page, address: str) -> str:
    """What a reader sees there, after it was seen that it is words and nothing else."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    await page.goto(address)
    await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert await page.evaluate(_INJECTED) == [False, 0], address
    assert not [each for each in said if "Content Security Policy" in each], said
    fields = "[...document.querySelectorAll('input, textarea')].map(each => each.value).join(' ')"
    return f"{await page.inner_text('body')} {await page.evaluate(fields)}"


async def test_words_stay_words(
    api: Api, product: Product, tables: Tables, people: People, officers: Officers, chromium: Browser
) -> None:
    lead, auditor = await officers.make("supervisor"), await officers.make("auditor")
    hostile = Hostile(product, tables, people, lead)
    case_id = await hostile.handed_in()
    await hostile.beside_cases()
    rows = await tables.rows("SELECT id FROM deliveries WHERE case_id = $1 ORDER BY id", UUID(case_id))
    everybodys = ["", "/cases", f"/cases/{case_id}", "/passkeys", "/systems", "/systems/sicantik", "/desk"]
    everybodys += [f"/desk/{row['id']}" for row in rows]
    everybodys += ["/desk?state=needs_operator", "/desk/callbacks", "/figures", "/figures/survey"]
    visits = {lead: [*everybodys, "/warnings"], auditor: [*everybodys, "/audit", "/audit/readings"]}
    shown = ""
    for officer, pages in visits.items():
        context = await chromium.new_context(locale="id")
        await context.add_init_script(WATCHED)
        page = await context.new_page()
        await sat_down(page, product, officer)
        for path in pages:
            shown += await shown_on(page, f"http://localhost:{api.settings.port}/dashboard{path}")
        await context.close()
    places = {place for kind in PLACES.values() for place in kind}
    assert {place for place in places if words(place) not in shown} == set(), "nobody was shown these"


ADDRESSES = (
    "/dashboard/login?after={0}&ended={0}&left={0}",
    "/dashboard/{0}",
    "/dashboard/cases?q={0}",
    "/dashboard/cases?service={0}&done={0}",
    "/dashboard/desk?state={0}",
    "/dashboard/systems/{0}",
    "/dashboard/audit?actor={0}&action={0}",
    "/v1/permits/check?number={0}",
    "/oauth/authorize?client_id={0}&redirect_uri={0}&state={0}",
    "/oauth/end-session?post_logout_redirect_uri={0}&client_id={0}",
    "/docs/errors?{0}#{0}",
    "/docs?{0}#{0}",
)


async def test_no_address_makes_a_page_of_its_own(
    api: Api, product: Product, officers: Officers, chromium: Browser
) -> None:
    context = await chromium.new_context(locale="en")
    await context.add_init_script(WATCHED)
    page = await context.new_page()
    auditor = await officers.make("auditor")
    for is_known in (False, True):
        if is_known:
            await sat_down(page, product, auditor)
        for address in ADDRESSES:
            await shown_on(page, f"http://localhost:{api.settings.port}{address.format(quote(words('address')))}")
    await context.close()

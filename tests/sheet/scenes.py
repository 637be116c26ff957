"""What no address leads to: the steps of a login, forms that were refused, answers that are pages of their own."""

from collections.abc import Awaitable, Callable
from datetime import date
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from playwright.async_api import Page

from app.database import utc_now
from app.login.guards import Role
from app.texts import Language
from services.permits.pages import check_page
from services.permits.schemas import LicenceCheck
from tests.app.login.journey import Journey
from tests.harness.officer_login import code
from tests.harness.officers import PASSWORD, OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.provider import Pkce, Registered, question
from tests.harness.tables import Tables

_UNFOLD = "for (const each of document.querySelectorAll('details:not(.chart details)')) each.open = true"
_LAX = "for (const each of document.querySelectorAll('[minlength]')) each.removeAttribute('minlength')"
_IDLE = "UPDATE officer_sessions SET last_used_at = now() - interval '31 minutes' WHERE officer_id = $1"
_LOCKED = "UPDATE officers SET locked_until = now() + interval '15 minutes' WHERE id = $1"
WHY = "Sudah dicek lewat telepon ke instansi: berkasnya diterima pada hari yang sama, nomornya menyusul."


class Stage(msgspec.Struct, frozen=True):
    """A browser at the product, and those who make people for it. `application`: an agency's that asks who somebody
    is. `crowded`: where there are more systems."""

    page: Page
    url: str
    language: Language
    officers: Officers
    people: People
    journey: Journey
    tables: Tables
    application: Registered
    crowded: str

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.url}{path}")

    async def press(self, button: str, **fields: str) -> None:
        """Fill in fields by their ids, and send their form."""
        for name, typed in fields.items():
            await self.page.fill(f"#{name}", typed)
        async with self.page.expect_navigation():
            await self.page.click(button)

    async def first(self, path: str, prefix: str) -> None:
        """The first thing that a list leads to."""
        await self.open(path)
        found = await self.page.locator(f"tbody a[href^='{prefix}']").first.get_attribute("href", timeout=5_000)
        await self.open(found or path)


class Scene(msgspec.Struct, frozen=True):
    """`who`: a role, or nobody."""

    name: str
    who: Role | None
    play: Callable[[Stage], Awaitable[object]]


async def _invited(stage: Stage) -> str:
    admin: OfficerAtWork = await stage.officers.make("city_admin")
    name = f"rina.kartika.{admin.name.rpartition('.')[2]}"
    wanted = {"name": name, "full_name": "Rina Kartika", "role": "operator", "agency": "dlh"}
    return str((await admin.post("/v1/officer/officers", wanted)).json()["invitation"])


async def _enrolment(stage: Stage) -> None:
    await stage.open("/dashboard/enrolment")
    await stage.press("main .primary", invitation=await _invited(stage))


async def _enrolment_refused(stage: Stage) -> None:
    await _enrolment(stage)
    await stage.press("main .primary", password="1234567890", code="000000")


async def _invitation_refused(stage: Stage) -> None:
    await stage.open("/dashboard/enrolment")
    await stage.press("main .primary", invitation="abcde-fghjk-mnpqr-stuvw")


async def _code(stage: Stage) -> OfficerAtWork:
    officer = await stage.officers.make("operator", language=stage.language)
    await stage.open("/dashboard/login")
    await stage.press("main .primary", name=officer.name, password=PASSWORD)
    return officer


async def _code_refused(stage: Stage) -> None:
    await _code(stage)
    await stage.press("main .primary", code="000000")


async def _foreign(stage: Stage) -> None:
    await stage.open("/dashboard/login")
    await stage.page.context.clear_cookies()
    await stage.press("main .primary", name="operator.dlh", password=PASSWORD)


async def _interrupted(stage: Stage) -> OfficerAtWork:
    officer = await _code(stage)
    await stage.press("main .primary", code=code(-1))
    await stage.open("/dashboard/passkeys")
    await stage.tables.run(_IDLE, officer.id)
    await stage.press("main form[action$=new] button")
    return officer


async def _resume(stage: Stage) -> None:
    officer = await _interrupted(stage)
    await stage.press("main .primary", name=officer.name, password=PASSWORD)
    await stage.press("main .primary", code=code())


async def _asked(stage: Stage) -> None:
    scopes = "openid profile nik offline_access"
    asked = question(stage.application, Pkce(), scope=scopes, ui_locales=stage.language)
    await stage.open(f"/oauth/authorize?{urlencode(asked)}")


async def _asked_code(stage: Stage) -> str:
    citizen = await stage.people.make(language=stage.language, name="Raden Ajeng Siti Nurhaliza Kusumaningtyas")
    await _asked(stage)
    await stage.press("main .primary", nik=citizen.person.nik, password=PASSWORD)
    return citizen.person.phone


async def _asked_code_refused(stage: Stage) -> None:
    await _asked_code(stage)
    await stage.press("main .primary", code="000000")


async def _consent(stage: Stage) -> None:
    phone = await _asked_code(stage)
    await stage.press("main .primary", code=await stage.journey.code(phone))


async def _end(stage: Stage) -> None:
    await _consent(stage)
    await stage.open("/oauth/end-session")


async def _goodbye(stage: Stage) -> None:
    await _end(stage)
    await stage.press("main .primary")


async def _taken(stage: Stage) -> None:
    await stage.open("/dashboard/cases?assignee=nobody")
    await stage.page.check("tbody input[name=ids] >> nth=0")
    await stage.press(".bulk button")
    await stage.first("/dashboard/cases?assignee=me", "/dashboard/cases/")
    await stage.page.evaluate(_UNFOLD)


async def _note_refused(stage: Stage) -> None:
    await _taken(stage)
    await stage.page.evaluate(_LAX)
    await stage.press("form[action$=questions] button", question="?")


async def _asked_twice(stage: Stage) -> None:
    """A colleague was quicker: 409, with the words that were written."""
    await _taken(stage)
    await stage.page.fill("#question", WHY)
    other = await stage.page.context.new_page()
    await other.goto(stage.page.url)
    await other.evaluate(_UNFOLD)
    await other.fill("#question", "Berapa tinggi tiang reklamenya?")
    async with other.expect_navigation():
        await other.click("form[action$=questions] button")
    await other.close()
    await stage.press("form[action$=questions] button")


async def _away(stage: Stage) -> None:
    """The database is away while a note is saved: 503, and the note once more."""
    await _taken(stage)
    async with stage.tables.shut():
        await stage.press("form[action$=notes] button", words=WHY)


async def _away_reading(stage: Stage) -> None:
    await stage.open("/dashboard")
    async with stage.tables.shut():
        await stage.open("/dashboard/cases?clock=late")


async def _locked(stage: Stage) -> None:
    """After one wrong code too many: 429."""
    officer = await _code(stage)
    await stage.tables.run(_LOCKED, officer.id)
    await stage.press("main .primary", code=code())


async def _many_systems(stage: Stage) -> None:
    await stage.page.goto(f"{stage.crowded}/dashboard/systems")


async def _sought(stage: Stage) -> None:
    await stage.open("/dashboard/cases")
    await stage.page.evaluate(_UNFOLD)
    await stage.press("form[action$=search] button", q="3571021705900000")


async def _retry_refused(stage: Stage) -> None:
    await stage.open("/dashboard/desk")
    await stage.page.evaluate(_LAX)
    await stage.press("form[action$='/desk/retry'] button", **{"many-reason": "x"})


async def _delivery(stage: Stage) -> None:
    await stage.first("/dashboard/desk?state=needs_operator", "/dashboard/desk/")
    await stage.page.evaluate(_UNFOLD)


async def _resolve_refused(stage: Stage) -> None:
    await _delivery(stage)
    await stage.page.evaluate(_LAX)
    await stage.press("form[action$=resolve] button", **{"resolve-reason": "x"})


async def _window_refused(stage: Stage) -> None:
    await stage.first("/dashboard/systems", "/dashboard/systems/")
    await stage.page.evaluate(_UNFOLD)
    ends = "2020-01-01T10:00"
    await stage.press("form[action$=maintenance] button", starts_at=ends, ends_at=ends, **{"plan-reason": WHY})


async def _paused(stage: Stage) -> None:
    await stage.first("/dashboard/systems", "/dashboard/systems/")
    await stage.page.evaluate(_UNFOLD)


async def _passkey(stage: Stage) -> None:
    await stage.open("/dashboard/passkeys")
    await stage.press("main form[action$=new] button")


async def _subject(stage: Stage) -> None:
    await stage.open("/dashboard/audit")
    found = await stage.page.locator("a[href^='/dashboard/audit?subject=']").first.get_attribute("href", timeout=5_000)
    await stage.open(str(found))


async def _readings(stage: Stage) -> None:
    await _subject(stage)
    await stage.open(f"/dashboard/audit/readings?{stage.page.url.partition('?')[2]}")


async def _reader(stage: Stage) -> None:
    await stage.open("/dashboard/audit/readings?actor=operator.dpmptsp")


async def _nobody(stage: Stage) -> None:
    await stage.open("/dashboard/audit")
    await stage.page.evaluate(_UNFOLD)
    await stage.press("form[action$=subjects] button", nik="3571021705900000")


async def _numbers(stage: Stage) -> None:
    await stage.open("/dashboard/figures")
    await stage.page.evaluate("for (const each of document.querySelectorAll('.chart details')) each.open = true")


async def _contract(stage: Stage) -> None:
    await stage.open("/docs")
    await stage.page.wait_for_selector(".opblock")


async def _paper(stage: Stage) -> None:
    """As for a licence that is good: no demo's agency has issued one yet."""
    await stage.open("/v1/permits/check?number=503/0001")
    told = LicenceCheck(
        number="503/0412/REK/419.104/2026",
        genuine=True,
        validity="valid",
        permit="Izin Penyelenggaraan Reklame",
        holder="R. A. S*** N******** K************",
        issued_on=date(2026, 3, 2),
        valid_until=date(2027, 3, 1),
        as_of=utc_now(),
    )
    await stage.page.set_content(check_page(told.number, told, stage.language, ZoneInfo("Asia/Jakarta")).content)


def _at(path: str) -> Callable[[Stage], Awaitable[object]]:
    async def play(stage: Stage) -> None:
        await stage.open(path)

    return play


SCENES = (
    Scene("docs", None, _contract),
    Scene("docs-errors", None, _at("/docs/errors")),
    Scene("login", None, _at("/dashboard/login")),
    Scene("invitation", None, _at("/dashboard/enrolment")),
    Scene("login-ended", None, _at("/dashboard/login?ended=1")),
    Scene("login-enrolled", None, _at("/dashboard/login?enrolled=1")),
    Scene("code", None, _code),
    Scene("code-refused", None, _code_refused),
    Scene("code-locked", None, _locked),
    Scene("invitation-refused", None, _invitation_refused),
    Scene("enrolment", None, _enrolment),
    Scene("enrolment-refused", None, _enrolment_refused),
    Scene("foreign-form", None, _foreign),
    Scene("provider-login", None, _asked),
    Scene("provider-code", None, _asked_code),
    Scene("provider-code-refused", None, _asked_code_refused),
    Scene("provider-consent", None, _consent),
    Scene("provider-logout", None, _end),
    Scene("provider-goodbye", None, _goodbye),
    Scene("provider-fault", None, _at("/oauth/authorize?client_id=nobody")),
    Scene("paper-permit", None, _at("/v1/permits/check?number=503/0001")),
    Scene("paper-valid", None, _paper),
    Scene("paper-certificate", None, _at(f"/v1/social-aid/certificates/check?number=470/0412/2026&code={'a' * 52}")),
    Scene("interrupted", None, _interrupted),
    Scene("resume", None, _resume),
    Scene("case-unfolded", "operator", _taken),
    Scene("case-refused", "operator", _note_refused),
    Scene("case-asked-twice", "operator", _asked_twice),
    Scene("note-while-away", "operator", _away),
    Scene("list-while-away", "supervisor", _away_reading),
    Scene("found-nobody", "operator", _sought),
    Scene("cases-late", "supervisor", _at("/dashboard/cases?clock=late")),
    Scene("cases-none", "supervisor", _at("/dashboard/cases?status=draft&clock=late")),
    Scene("desk-refused", "operator", _retry_refused),
    Scene("delivery-unfolded", "supervisor", _delivery),
    Scene("delivery-refused", "operator", _resolve_refused),
    Scene("system-unfolded", "supervisor", _paused),
    Scene("system-refused", "supervisor", _window_refused),
    Scene("systems-many", "city_admin", _many_systems),
    Scene("passkey", "operator", _passkey),
    Scene("forbidden", "operator", _at("/dashboard/audit")),
    Scene("missing", "operator", _at(f"/dashboard/cases/{UUID(int=7)}")),
    Scene("unreadable", "operator", _at("/dashboard/cases?status=none-such")),
    Scene("weeks", "agency_head", _at("/dashboard/figures?grain=week")),
    Scene("numbers", "agency_head", _numbers),
    Scene("subject", "auditor", _subject),
    Scene("subject-nobody", "auditor", _nobody),
    Scene("readings-of-subject", "auditor", _readings),
    Scene("readings-of-reader", "auditor", _reader),
)

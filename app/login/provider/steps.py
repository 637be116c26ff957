"""Which page an authorization request shows, and what each page's form does."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import LoketError, NotFound
from app.login.devices import coarse_network
from app.login.gate import Gate
from app.login.passkeys import request_options
from app.login.provider import flow
from app.login.provider.browsers import (
    DEVICE,
    Browser,
    cookie_name,
    cookies_of,
    form_mark,
    is_from_elsewhere,
    is_our_form,
)
from app.login.provider.pages import page
from app.login.provider.requests import AuthorizationRequest, Returned, Shown
from app.pages.frame import Policy
from app.telemetry import client_address, client_network
from app.texts import LANGUAGES, Language, text

Page = Response[Any]
# Browsers use passkeys for scripts alone; the code beside needs none.
_WITH_SCRIPTS = ("code",)


class Visit(msgspec.Struct, frozen=True):
    """One request of a browser at the authorization endpoint."""

    http: Request[Any, Any, Any]
    gate: Gate
    session: AsyncSession
    request: AuthorizationRequest
    browser: Browser
    language: Language

    @property
    def is_safe(self) -> bool:
        """Whether a form came from a page of ours, shown to this browser."""
        return not is_from_elsewhere(self.http, self.gate.issuer)


async def show_next(visit: Visit, *, is_fresh: bool = False) -> Page:
    """The page that comes next, or the answer to the client."""
    step = await flow.next_step(visit.session, visit.gate, visit.request, visit.browser, is_fresh=is_fresh)
    if step == "login" or visit.browser.login is None:
        return login_page(visit)
    if step == "consent":
        return await _consent_page(visit)
    return leave(visit, await flow.answer(visit.session, visit.gate, visit.request, visit.browser.login))


async def take_form(visit: Visit, form: Mapping[str, str]) -> Page:
    """One step of a citizen's. A form that is not from a page of ours does nothing."""
    step = form.get("step", "")
    bound = f"{step}?{visit.request.query}"
    if not visit.is_safe or not is_our_form(visit.gate.vault, visit.browser, form.get("mark", ""), bound):
        return login_page(visit, text("provider.fault.form_expired", visit.language), 403)
    if step == "login":
        return await _take_password(visit, form)
    if step in ("code", "passkey"):
        return await _take_proof(visit, form, by_passkey=step == "passkey")
    return await _take_consent(visit, form)


def login_page(visit: Visit, problem: str = "", status: int = 200) -> Page:
    cancel = visit.request.way.url(visit.gate.issuer, error="access_denied", error_description="the citizen went back")
    return _page(visit, "login", {"problem": problem, "cancel": cancel}, status)


def leave(visit: Visit, url: str) -> Page:
    """To the client. 303: a form's fields must not be sent on (RFC 9700, 4.12)."""
    answer = Redirect(url, status_code=303)
    answer.headers["Cache-Control"] = "no-store"
    return _with_cookie(visit, answer)


async def _take_password(visit: Visit, form: Mapping[str, str]) -> Page:
    try:
        challenge = await flow.ask_code(visit.gate, form, _came(visit), visit.language)
    except LoketError as error:
        return login_page(visit, words(error, visit.language), error.status)
    return _code_page(visit, challenge)


async def _take_proof(visit: Visit, form: Mapping[str, str], *, by_passkey: bool) -> Page:
    answered = flow.answer_passkey if by_passkey else flow.answer_code
    try:
        opened = await answered(visit.gate, form, _came(visit))
    except NotFound:
        return login_page(visit, text("provider.fault.form_expired", visit.language), 403)
    except LoketError as error:
        if error.code not in ("code_wrong", "passkey_wrong"):
            return login_page(visit, words(error, visit.language), error.status)
        return _code_page(visit, flow.challenge_of(form), words(error, visit.language), error.status)
    browser = await flow.logged_in(visit.session, opened)
    return await show_next(msgspec.structs.replace(visit, browser=browser), is_fresh=True)


async def _take_consent(visit: Visit, form: Mapping[str, str]) -> Page:
    if visit.browser.login is None:
        return login_page(visit)
    if form.get("decision") != "allow":
        raise Returned("access_denied", "the citizen did not allow it", visit.request.way)
    return leave(visit, await flow.agree(visit.session, visit.gate, visit.request, visit.browser.login))


def _came(visit: Visit) -> flow.Came:
    shown_network = coarse_network(client_address(visit.http))
    device_token = visit.http.cookies.get(cookie_name(visit.gate.issuer, DEVICE), "")
    return flow.Came(client_network(visit.http), shown_network, device_token)


def _code_page(visit: Visit, challenge: UUID, problem: str = "", status: int = 200) -> Page:
    """For a code or a passkey. Nobody learns here whether an account has any."""
    values = {
        "challenge": challenge,
        "problem": problem,
        "again": _address(visit),
        "options": msgspec.json.encode(request_options(visit.gate, challenge)).decode(),
        "passkey_mark": form_mark(visit.gate.vault, visit.browser, "passkey", visit.request.query),
    }
    return _page(visit, "code", values, status)


async def _consent_page(visit: Visit) -> Page:
    login = visit.browser.login
    profile = await visit.gate.profiles.get(login.citizen_id) if login else None
    if profile is None:
        return login_page(visit)
    client = visit.request.client
    values = {
        "person": profile,
        "agency": agency_name(visit.http, client.agency, visit.language),
        "scopes": visit.request.scopes,
        "purpose": client.purpose(visit.language),
        "address": visit.request.way.origin,
        "other": _address(visit, prompt="login"),
    }
    return _page(visit, "consent", values, 200)


def agency_name(http: Request[Any, Any, Any], agency: str, language: Language) -> str:
    """As the catalogue has it; as it was registered, where the city has no such agency."""
    # The catalogue stands on login, so its type is not named here.
    catalog: Any = http.app.state["catalog"]
    try:
        return str(catalog.agency(agency).name.into(language))
    except NotFound:
        return agency


def words(error: LoketError, language: Language) -> str:
    """What a citizen reads of a refusal."""
    if error.errors:
        fault = error.errors[0]
        return text(f"field.{fault.code}", language, fault.params or None)
    return text(f"error.{error.code}", language, error.params)


def fault_page(fault: Shown, language: Language) -> Page:
    """400, and no way on."""
    return page("fault", language, {"words": text(f"provider.fault.{fault.code}", language)}, status=400)


def _page(visit: Visit, name: str, values: Mapping[str, object], status: int) -> Page:
    # Whoever is shown a form has a cookie that it is bound to.
    browser = visit.browser
    filled = {
        "client": visit.request.client,
        "action": _address(visit),
        "mark": form_mark(visit.gate.vault, browser, name, visit.request.query),
        "choices": {each: _address(visit, ui_locales=each) for each in LANGUAGES},
        **values,
    }
    policy = Policy(way_out=visit.request.way.origin, scripts=name in _WITH_SCRIPTS)
    shown = page(name, visit.language, filled, status=status, policy=policy)
    return _with_cookie(visit, shown)


def _address(visit: Visit, **changed: str) -> str:
    """This request again, with a parameter changed."""
    given = dict(part.split("=", 1) for part in visit.request.query.split("&"))
    own = "&".join(f"{name}={value}" for name, value in given.items() if name not in changed)
    return f"/oauth/authorize?{own}" + (f"&{urlencode(changed)}" if changed else "")


def _with_cookie(visit: Visit, answer: Page) -> Page:
    if visit.browser.is_new:
        answer.cookies = cookies_of(visit.gate.issuer, visit.browser)
    return answer

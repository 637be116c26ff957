"""HTTP of logging out everywhere, begun by an application (OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.errors import LoketError
from app.jobs import driver_connection
from app.login.gate import Gate
from app.login.guards import PUBLIC
from app.login.models import Session
from app.login.provider.authorize import body_text, on_refusal
from app.login.provider.backchannel import note_ended
from app.login.provider.browsers import (
    Browser,
    cookies_of,
    forget_login,
    form_mark,
    is_from_elsewhere,
    is_our_form,
    new_token,
    read_browser,
)
from app.login.provider.clients import find_client
from app.login.provider.pages import page
from app.login.provider.requests import Shown, read_form, wanted_language, with_query
from app.login.provider.signed import Hint, read_hint
from app.login.provider.steps import fault_page
from app.login.provider.subjects import session_name
from app.login.sessions import end_sessions
from app.pages.frame import Policy
from app.texts import language_of

AnyRequest = Request[Any, Any, Any]
_CARRIED = ("client_id", "post_logout_redirect_uri", "state", "ui_locales")
_BOUND = "logout?"
_LONGEST_STATE = 2_000


class Asked(msgspec.Struct, frozen=True):
    """A logout that was asked for. `back`: where the citizen goes then, "" for nowhere."""

    form: Mapping[str, str]
    hint: Hint | None
    back: str


@get("/oauth/end-session", opt=PUBLIC, include_in_schema=False, exception_handlers={LoketError: on_refusal})
async def ask_logout(
    request: AnyRequest, gate: NamedDependency[Gate], database: NamedDependency[Database]
) -> Response[Any]:
    return await _answered(request, gate, database, request.scope["query_string"].decode("latin-1"))


@post(
    "/oauth/end-session",
    opt=PUBLIC,
    include_in_schema=False,
    status_code=200,
    exception_handlers={LoketError: on_refusal},
)
async def send_logout(
    request: AnyRequest, gate: NamedDependency[Gate], database: NamedDependency[Database]
) -> Response[Any]:
    body = await body_text(request)
    if is_from_elsewhere(request, gate.issuer):
        # Our cookie comes with the redirect, not with another site's form.
        return Redirect(f"/oauth/end-session?{body}", status_code=303)
    return await _answered(request, gate, database, body)


async def _answered(request: AnyRequest, gate: Gate, database: Database, sent: str) -> Response[Any]:
    spoken = language_of(request.headers.get("accept-language"))
    async with database.transaction() as session:
        try:
            asked = await _asked(session, gate, sent)
        except Shown as fault:
            return fault_page(fault, spoken)
        browser = await read_browser(session, request.cookies, gate.issuer)
        if browser.login and not _is_meant(request, gate, browser, asked):
            return _question(gate, browser, asked, request)
        ended = await _end(session, browser)
    await gate.revocations.announce(*ended)
    language = wanted_language(asked.form.get("ui_locales", "")) or spoken
    answer: Response[Any] = (
        Redirect(asked.back, status_code=303) if asked.back else page("goodbye", language, {}, status=200)
    )
    answer.cookies = cookies_of(gate.issuer, Browser(new_token(), is_new=True, login=None))
    return answer


async def _asked(session: AsyncSession, gate: Gate, sent: str) -> Asked:
    """Raises Shown: nobody is sent to an address that is not registered for this by a client that is."""
    form, repeated = read_form(sent)
    if repeated:
        raise Shown("request_malformed")
    hint = await read_hint(gate, form.get("id_token_hint", ""))
    address = form.get("post_logout_redirect_uri", "")
    if not address:
        return Asked(form, hint, "")
    name = form.get("client_id") or (hint.aud if hint else "")
    client = await find_client(session, name)
    if client is None or (hint and hint.aud != client.id):
        raise Shown("client_unknown")
    if address not in client.post_logout_uris:
        raise Shown("redirect_unknown")
    state = form.get("state", "")[:_LONGEST_STATE]
    return Asked(form, hint, with_query(address, {"state": state}) if state else address)


def _is_meant(request: AnyRequest, gate: Gate, browser: Browser, asked: Asked) -> bool:
    """Whether the citizen wants it: an application that knows this very session says so, or they answered our page.

    Without that any page could log everybody out by showing an image.
    """
    if browser.login is None:
        return True
    if asked.hint and asked.hint.sid == session_name(gate.vault, asked.hint.aud, browser.login.session_id):
        return True
    is_answer = request.method == "POST" and asked.form.get("step") == "logout"
    return is_answer and is_our_form(gate.vault, browser, asked.form.get("mark", ""), _BOUND)


def _question(gate: Gate, browser: Browser, asked: Asked, request: AnyRequest) -> Response[Any]:
    spoken = language_of(request.headers.get("accept-language"))
    language = wanted_language(asked.form.get("ui_locales", "")) or spoken
    carried = {name: asked.form[name] for name in _CARRIED if name in asked.form}
    if asked.hint:
        carried.setdefault("client_id", asked.hint.aud)
    values = {"mark": form_mark(gate.vault, browser, "logout", ""), "carried": carried}
    origin = "/".join(asked.back.split("/")[:3])
    return page("logout", language, values, policy=Policy(way_out=origin))


async def _end(session: AsyncSession, browser: Browser) -> list[UUID]:
    """End the browser's session, with all that applications hold of it; and have them told."""
    if browser.login is None:
        return []
    await forget_login(session, browser)
    ended = list(await end_sessions(session, Session.id == browser.login.session_id, "logout"))
    await note_ended(await driver_connection(session))
    return ended


LOGOUT_ROUTES = [ask_logout, send_logout]

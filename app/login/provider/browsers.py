"""A browser at our own pages: the cookie that stands for a session, renewed at login, and the marks of our forms."""

import hmac
import secrets
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import Cookie
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.login.known_devices import LIFE_S
from app.login.models import Session
from app.login.provider.clients import hash_of
from app.login.provider.models import BrowserLogin
from app.privacy import Vault

# Long enough for a day's errands, and over by itself at the next.
LONGEST_S = 12 * 3600
IDLE_S = 3600
FORM_S = 900
DEVICE = "-device"
_TOKEN_CHARACTERS = 43


class LoggedIn(msgspec.Struct, frozen=True):
    """Who is logged in at a browser, since when."""

    citizen_id: UUID
    session_id: UUID
    assurance_level: int
    authenticated_at: datetime


class Browser(msgspec.Struct, frozen=True):
    """One browser. `token` is its cookie; `is_new`: it came without one and is given this, `device_token` with it."""

    token: str
    is_new: bool
    login: LoggedIn | None
    device_token: str = ""


async def read_browser(session: AsyncSession, cookies: Mapping[str, str], issuer: str) -> Browser:
    """The browser of a request, with its living login."""
    token = cookies.get(cookie_name(issuer), "")
    if len(token) != _TOKEN_CHARACTERS:
        return Browser(new_token(), is_new=True, login=None)
    row = (
        await session.execute(
            select(Session.citizen_id, Session.id, Session.assurance_level, BrowserLogin.authenticated_at)
            .join(BrowserLogin, BrowserLogin.session_id == Session.id)
            .where(
                BrowserLogin.token_hash == hash_of(token),
                BrowserLogin.expires_at > func.now(),
                Session.last_used_at > func.now() - timedelta(seconds=IDLE_S),
                Session.revoked_at.is_(None),
                Session.expires_at > func.now(),
            )
        )
    ).one_or_none()
    return Browser(token, is_new=False, login=LoggedIn(*row) if row else None)


async def keep_login(session: AsyncSession, login: LoggedIn) -> str:
    """A new cookie for a browser that has just logged in: the one it came with may have been planted by another."""
    token = new_token()
    ends_at = login.authenticated_at + timedelta(seconds=LONGEST_S)
    session.add(
        BrowserLogin(
            token_hash=hash_of(token),
            session_id=login.session_id,
            authenticated_at=login.authenticated_at,
            expires_at=ends_at,
        )
    )
    await session.flush()
    return token


async def note_use(session: AsyncSession, login: LoggedIn) -> None:
    """The device list shows when a session was last used; an idle one ends."""
    await session.execute(update(Session).where(Session.id == login.session_id).values(last_used_at=func.now()))


async def forget_login(session: AsyncSession, browser: Browser) -> None:
    await session.execute(delete(BrowserLogin).where(BrowserLogin.token_hash == hash_of(browser.token)))


def cookie_name(issuer: str, kind: str = "") -> str:
    """Browsers take the prefix only over TLS, and keep such a cookie to this very host; a demo may be without."""
    return ("__Host-loket" if issuer.startswith("https://") else "loket") + kind


def cookies_of(issuer: str, browser: Browser) -> list[Cookie]:
    """The first ends with the browser. The other stays: it opens nothing, and keeps strangers' wrong tries apart."""
    given = [_cookie(issuer, "", browser.token, None)]
    if browser.device_token:
        given.append(_cookie(issuer, DEVICE, browser.device_token, LIFE_S))
    return given


def _cookie(issuer: str, kind: str, value: str, lasts_s: int | None) -> Cookie:
    """Lax: a citizen who comes from an agency's page is still logged in here."""
    return Cookie(
        key=cookie_name(issuer, kind),
        value=value,
        path="/",
        max_age=lasts_s,
        secure=issuer.startswith("https://"),
        httponly=True,
        samesite="lax",
    )


def new_token() -> str:
    return secrets.token_urlsafe(32)


def form_mark(vault: Vault, browser: Browser, step: str, query: str) -> str:
    """Proves that this browser was shown this step of this very request, by us, a short while ago."""
    made_at = str(int(time.time()))
    return f"{made_at}.{_mac(vault, browser, made_at, f'{step}?{query}')}"


def is_our_form(vault: Vault, browser: Browser, given: str, bound: str) -> bool:
    """Whether `given` is the mark of `step?query` for this browser."""
    made_at, _, mac = given.partition(".")
    if not (made_at.isascii() and made_at.isdigit() and len(made_at) <= 12 and mac.isascii()):
        return False
    age_s = time.time() - int(made_at)
    return hmac.compare_digest(mac, _mac(vault, browser, made_at, bound)) and -60 <= age_s <= FORM_S


def is_from_elsewhere(request: Request[Any, Any, Any], issuer: str) -> bool:
    """Whether the browser itself says that another page than ours sent this form.

    An Origin of `null` says nothing: our own pages send it, as they tell no referrer.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    return site not in ("same-origin", "none") or request.headers.get("origin", "null") not in ("null", issuer)


def _mac(vault: Vault, browser: Browser, made_at: str, bound: str) -> str:
    return vault.lasting_name("form", f"{browser.token}\0{made_at}\0{bound}").hex()

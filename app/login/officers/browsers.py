"""A browser at officers' pages: its cookies, which only this host gets over TLS, and the marks of our own forms."""

import hmac
import secrets
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from app.errors import Forbidden
from app.login.gate import Gate

# The prefix: browsers take it only with Secure, for the whole host, and from no subdomain. On plain http they make an
# exception for this very machine alone (Chromium and Firefox do, Safari does not): the login page says so.
SESSION = "__Host-officer"
VISITOR = "__Host-officer-visit"
# The field of every form that changes anything.
MARK = "mark"
_SAFE = ("GET", "HEAD")


def cookie(name: str, value: str) -> Cookie:
    """Ends with the browser, is not shown to scripts, and comes along only from our own pages."""
    return Cookie(key=name, value=value, path="/", secure=True, httponly=True, samesite="strict")


def gone(name: str) -> Cookie:
    return Cookie(key=name, value="", path="/", secure=True, httponly=True, samesite="strict", max_age=0)


def new_visitor() -> str:
    return secrets.token_urlsafe(32)


def form_mark(gate: Gate, holder: str) -> str:
    """Proves that a form was made by us for the browser that holds this cookie."""
    return gate.vault.index("officer.form", holder).hex()


async def check_form(request: Request[Any, Any, Any], gate: Gate, name: str) -> None:
    """For whatever may change something: from our own page, and with the mark of this browser's cookie `name`.

    Raises Forbidden (form_foreign, cookie_missing).
    """
    if request.method in _SAFE:
        return
    _refuse_foreign(request, gate.issuer)
    holder = request.cookies.get(name, "")
    if not holder:
        raise Forbidden("cookie_missing")
    given = (await request.form()).get(MARK)
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), form_mark(gate, holder).encode()):
        raise Forbidden("form_foreign")


def _refuse_foreign(request: Request[Any, Any, Any], issuer: str) -> None:
    """Whatever the browser says of where the request began must be us. One that says nothing is no browser of today."""
    ours = {issuer}
    if issuer.startswith("http://"):
        # A demo is opened by several names of the same machine.
        ours.add(f"http://{request.headers.get('host', '')}")
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if (site is None and origin is None) or (site or "same-origin") != "same-origin" or (origin or issuer) not in ours:
        raise Forbidden("form_foreign")

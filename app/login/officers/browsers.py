"""A browser at officers' pages: its cookies, which only this host gets over TLS, and the marks of our own forms."""

import hmac
import secrets
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from app.errors import Forbidden
from app.login.gate import Gate
from app.pages.forms import Fields

# The prefix: browsers take it only with Secure, for the whole host, and from no subdomain. On plain http they make an
# exception for this very machine alone (Chromium and Firefox do, Safari does not): the login page says so.
SESSION = "__Host-officer"
VISITOR = "__Host-officer-visit"
# The field of every form that changes anything.
MARK = "mark"
_SAFE = ("GET", "HEAD")
_FRESH_BYTES = 16
_FIELDS = "form"


def cookie(name: str, value: str) -> Cookie:
    """Ends with the browser, is not shown to scripts, and comes along only from our own pages."""
    return Cookie(key=name, value=value, path="/", secure=True, httponly=True, samesite="strict")


def gone(name: str) -> Cookie:
    return Cookie(key=name, value="", path="/", secure=True, httponly=True, samesite="strict", max_age=0)


def new_visitor() -> str:
    return secrets.token_urlsafe(32)


def form_mark(gate: Gate, holder: str) -> str:
    """Proves that a form was made by us for the browser that holds this cookie. Each page gets a new one, so that a
    form which comes twice is known again (`app.login.officers.once`)."""
    fresh = secrets.token_hex(_FRESH_BYTES)
    return fresh + _proof(gate, fresh, holder)


def sent_mark(request: Request[Any, Any, Any]) -> str:
    """The mark that came with it."""
    mark: str = request.scope["state"].get(MARK, "")
    return mark


def sent_fields(request: Request[Any, Any, Any]) -> Fields:
    """The fields of the form of ours that came with this request; none before `check_form` has let it in."""
    found: Fields = request.scope["state"].get(_FIELDS, {})
    return found


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
    fields: dict[str, list[str]] = {}
    for field, value in (await request.form()).multi_items():
        if isinstance(value, str):
            fields.setdefault(field, []).append(value)
    [given, *_] = fields.pop(MARK, [""])
    fresh, proof = given[: 2 * _FRESH_BYTES], given[2 * _FRESH_BYTES :]
    if not hmac.compare_digest(proof.encode(), _proof(gate, fresh, holder).encode()):
        raise Forbidden("form_foreign")
    request.scope["state"].update({MARK: given, _FIELDS: fields})


def _proof(gate: Gate, fresh: str, holder: str) -> str:
    return gate.vault.lasting_name("officer.form", f"{fresh}|{holder}").hex()


def _refuse_foreign(request: Request[Any, Any, Any], issuer: str) -> None:
    """Whatever the browser says of where the request began must be us. One that says nothing is no browser of today."""
    ours = {issuer}
    if issuer.startswith("http://"):
        # A demo is opened by several names of the same machine.
        ours.add(f"http://{request.headers.get('host', '')}")
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if (site is None and origin is None) or (site or "same-origin") != "same-origin" or (origin or issuer) not in ours:
        raise Forbidden("form_foreign")

"""HTTP of the authorization endpoint: a request of a client, or a form of our own pages."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect

from app.database import Database
from app.errors import LoketError
from app.login.gate import Gate
from app.login.guards import PUBLIC
from app.login.provider.browsers import read_browser
from app.login.provider.pages import page
from app.login.provider.requests import Returned, Shown, read_form, read_request
from app.login.provider.steps import Page, Visit, fault_page, show_next, take_form, words
from app.texts import language_of

AnyRequest = Request[Any, Any, Any]
_MOST_BYTES = 16_384


def on_refusal(request: AnyRequest, error: LoketError) -> Response[Any]:
    """A page of ours, where the API would answer with a problem document."""
    language = language_of(request.headers.get("accept-language"))
    answer = page("fault", language, {"words": words(error, language)}, status=error.status)
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


@get(
    "/oauth/authorize",
    opt=PUBLIC,
    include_in_schema=False,
    exception_handlers={LoketError: on_refusal},
)
async def ask_authorization(
    request: AnyRequest, gate: NamedDependency[Gate], database: NamedDependency[Database]
) -> Response[Any]:
    return await _answered(request, gate, database, None)


@post(
    "/oauth/authorize",
    opt=PUBLIC,
    include_in_schema=False,
    status_code=200,
    exception_handlers={LoketError: on_refusal},
)
async def send_form(
    request: AnyRequest, gate: NamedDependency[Gate], database: NamedDependency[Database]
) -> Response[Any]:
    body = await body_text(request)
    language = language_of(request.headers.get("accept-language"))
    try:
        form, repeated = read_form(body)
    except Shown as fault:
        return fault_page(fault, language)
    if "step" not in form:
        # A client may POST its request (OpenID Connect Core, 3.1.2.1). Our cookie does not come with another site's
        # form, and does with the redirect.
        return Redirect(f"/oauth/authorize?{body}", status_code=303)
    if repeated:
        return fault_page(Shown("request_malformed"), language)
    return await _answered(request, gate, database, form)


async def body_text(request: AnyRequest) -> str:
    """A form as it was sent; "" where it is too long or none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind != "application/x-www-form-urlencoded" or len(body) > _MOST_BYTES:
        return ""
    return body.decode("latin-1") if body.isascii() else ""


async def _answered(request: AnyRequest, gate: Gate, database: Database, form: Mapping[str, str] | None) -> Page:
    """Faults are answers too: what was written before one stays."""
    spoken = language_of(request.headers.get("accept-language"))
    async with database.transaction() as session:
        try:
            asked = await read_request(session, request.scope["query_string"].decode("latin-1"))
        except Shown as fault:
            return fault_page(fault, spoken)
        except Returned as fault:
            return _returned(gate, fault)
        browser = await read_browser(session, request.cookies, gate.issuer)
        visit = Visit(request, gate, session, asked, browser, asked.language or spoken)
        try:
            return await (show_next(visit) if form is None else take_form(visit, form))
        except Returned as fault:
            return _returned(gate, fault)


def _returned(gate: Gate, fault: Returned) -> Page:
    url = fault.to.url(gate.issuer, error=fault.error, error_description=fault.description)
    answer: Page = Redirect(url, status_code=303)
    answer.headers["Cache-Control"] = "no-store"
    return answer


AUTHORIZE_ROUTES = [ask_authorization, send_form]

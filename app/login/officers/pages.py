"""What officers' pages have in common: the frame around one, refusals as pages, forms, and where one is sent next."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import segno
from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from app.errors import LoketError, Unprocessable
from app.login.guards import Officer, OfficerRequest
from app.login.officers.agencies import agency_name, city_zone
from app.login.officers.browsers import MARK, SESSION, form_mark, gone
from app.pages.frame import Policy, page
from app.pages.navigation import links_for
from app.problems import field_error, known
from app.texts import Language, has_text, language_of, text

LOGIN, START = "/dashboard/login", "/dashboard"
# Not no-referrer: with that a browser hides the Origin of our own forms, by which we know them.
_POLICY = Policy(referrer="same-origin", scripts=True)
_LONGEST_DONE = 40

F = TypeVar("F")


def shown(
    request: OfficerRequest, name: str, values: Mapping[str, object], refusal: LoketError | None = None
) -> Response[Any]:
    """The page `<folder>/<name>` for the officer who asks, in their language, with the menu of their role around it."""
    officer = request.user
    language, path = officer.language, request.url.path
    given = {
        "officer": officer,
        "agency": agency_of(request, language),
        "links": links_for(request.app.state["navigation"], officer.role, path),
        "mark": form_mark(request.app.state["gate"], request.cookies.get(SESSION, "")),
        "here": _here(request),
        "zone": city_zone(request),
        "done": _done(request, name.partition("/")[0], language),
        "problem": in_words(refusal, language) if refusal else "",
    }
    answer = page(name, language, {**given, **values}, policy=_POLICY, status=refusal.status if refusal else 200)
    if refusal and refusal.retry_after_s:
        answer.headers["Retry-After"] = str(refusal.retry_after_s)
    return answer


def visitors(
    request: Request[Any, Any, Any], name: str, values: Mapping[str, object], *, status: int = 200
) -> Response[Any]:
    """A page before login, in the browser's language."""
    return page(f"officers/{name}", spoken(request), {"mark": "", **values}, policy=_POLICY, status=status)


def on_page_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Who is not logged in is shown where to; any other refusal is a page with its words."""
    refusal = known(error)
    if refusal.status == 401:
        ended = refusal.code == "session_revoked"
        return sent_to(f"{LOGIN}?ended=1" if ended else LOGIN, gone(SESSION) if ended else None)
    if isinstance(request.scope.get("user"), Officer):
        return shown(request, "officers/refused", {"crumbs": []}, refusal)
    return visitors(request, "fault", {"problem": in_words(refusal, spoken(request))}, status=refusal.status)


# For every handler of a page: `@get(path, opt=officer_page(...), **PAGE)`.
PAGE: dict[str, Any] = {"include_in_schema": False, "exception_handlers": {Exception: on_page_error}}


def in_words(refusal: LoketError, language: Language) -> str:
    """What is wrong with a field says more than that something is."""
    if refusal.errors:
        return " ".join(text(f"field.{fault.code}", language, fault.params) for fault in refusal.errors)
    return text(f"error.{refusal.code}", language, refusal.params)


async def form_of(request: Request[Any, Any, Any], kind: type[F], *, lists: tuple[str, ...] = ()) -> F:
    """The fields of a form of ours; those in `lists` may come several times. Raises Unprocessable."""
    fields: dict[str, Any] = {name: [] for name in lists}
    for name, value in (await request.form()).multi_items():
        if name in lists:
            fields[name].append(value)
        elif name != MARK:
            fields[name] = value
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Unprocessable(errors=[field_error(str(error))]) from None


def in_json(given: str, kind: type[F]) -> F:
    """A field of a form that holds JSON. Raises Unprocessable."""
    try:
        return msgspec.json.decode(given, type=kind)
    except msgspec.DecodeError as error:
        raise Unprocessable(errors=[field_error(str(error))]) from None


def sent_to(path: str, *cookies: Cookie | None) -> Response[Any]:
    answer = Redirect(path, status_code=303, headers={"Cache-Control": "no-store"})
    for each in cookies:
        if each is not None:
            answer.set_cookie(each)
    return answer


def is_ours(path: str) -> bool:
    """Whether a path leads to an officers' page here, and nowhere else."""
    own, _, _ = path.partition("?")
    return (own == START or own.startswith(f"{START}/")) and path.isascii() and path.isprintable() and "\\" not in path


def agency_of(request: OfficerRequest, language: Language) -> str:
    """The officer's agency by its name."""
    agency = request.user.agency
    return agency_name(request, agency, language) if agency else text("pages.whole_city", language)


def spoken(request: Request[Any, Any, Any]) -> Language:
    return language_of(request.headers.get("accept-language"))


def qr_code(content: str) -> str:
    """As SVG that needs no style of its own, dark on light whatever the page's colours."""
    drawn: Any = segno.make(content, error="m")
    svg: str = drawn.svg_inline(scale=5, border=4, dark="#000000", light="#ffffff", svgclass="qr", lineclass=None)
    return svg


def _here(request: OfficerRequest) -> str:
    """Where a change of language leads back to: this page, where it was asked for and not sent to."""
    if request.method != "GET":
        return START
    query = request.scope["query_string"].decode("latin-1")
    return f"{request.url.path}?{query}" if query else request.url.path


def _done(request: OfficerRequest, folder: str, language: Language) -> str:
    """What the form before this page did, by `?done=`; only words that there are."""
    key = f"{folder}.done.{request.query_params.get('done', '')[:_LONGEST_DONE]}"
    return text(key, language) if has_text(key) else ""

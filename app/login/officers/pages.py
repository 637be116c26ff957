"""What officers' pages have in common: the frame around one, refusals as pages, forms, and where one is sent next."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
import segno
from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from app.errors import LoketError, Unprocessable
from app.login.guards import ASKING, OfficerRequest
from app.login.officers.agencies import agency_name, city_zone
from app.login.officers.browsers import SESSION, VISITOR, cookie, form_mark, gone, new_visitor, sent_fields, sent_mark
from app.login.officers.interrupted import sealed
from app.pages.forms import Fault, Fields, Sent
from app.pages.frame import Policy, page
from app.pages.navigation import links_for
from app.problems import converted, field_error, known
from app.texts import Language, has_text, language_of, text

LOGIN, START = "/dashboard/login", "/dashboard"
# What comes after a login: a page, or a form that is sealed.
AFTER = "after"
# The field of a form that comes back from a login: it is shown once more, and not carried out.
RESUMED = "resumed"
# Not no-referrer: with that a browser hides the Origin of our own forms, by which we know them.
_POLICY = Policy(referrer="same-origin", scripts=True)
_LONGEST_DONE = 40
_LONGEST_BACK = 2_000
# The field of every form in our frame that says which page it stands on.
_BACK = "back"
# What a refused form does not show again, and no answer of ours ever holds.
_SECRETS = ("password", "code", "credential", "invitation")

# Nothing is wrong with what was asked; a moment later it may well be done.
_PASSING = (429, 503)

F = TypeVar("F")


class Again(msgspec.Struct, frozen=True):
    """A page to be opened once more; with a mark, a form to be sent once more."""

    path: str
    mark: str = ""
    fields: Fields = {}


def shown(
    request: OfficerRequest, name: str, values: Mapping[str, object], refusal: LoketError | None = None
) -> Response[Any]:
    """The page `<folder>/<name>` for the officer who asks, in their language, with the menu of their role around it.
    With a refusal: why, and the form that was refused as it was filled in."""
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
        **refused(request, refusal, language),
    }
    answer = page(name, language, {**given, **values}, policy=_POLICY, status=refusal.status if refusal else 200)
    return _later(answer, refusal)


def visitors(
    request: Request[Any, Any, Any], name: str, values: Mapping[str, object], *, status: int = 200
) -> Response[Any]:
    """A page before login, in the browser's language."""
    return page(f"officers/{name}", spoken(request), {"mark": "", **values}, policy=_POLICY, status=status)


def refused(request: Request[Any, Any, Any], refusal: LoketError | None, language: Language) -> Mapping[str, object]:
    """What a page says of a refusal, and the form that was refused."""
    if refusal is None:
        return {}
    faults = [
        Fault(fault.pointer.strip("/").partition("/")[0], text(f"field.{fault.code}", language, fault.params))
        for fault in refusal.errors
    ]
    fields = {name: typed for name, typed in sent_fields(request).items() if name not in _SECRETS}
    action = request.url.path if fields else ""
    return {"problem": text(f"error.{refusal.code}", language, refusal.params), "sent": Sent(action, fields, faults)}


def on_page_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Who is not logged in is shown where to; any other refusal is a page with its words."""
    refusal = known(error)
    if refusal.status == 401:
        return _to_login(request, ended=refusal.code == "session_revoked")
    name = "lost" if refusal.status in (404, 405) else "passing" if refusal.status in _PASSING else "refused"
    if refusal.status == 405:
        # A form's address opened by itself, as after it was refused and the page called up again.
        refusal.code = "form_address"
    told: dict[str, object] = {"crumbs": [], "again": _again(request) if name == "passing" else None}
    if (officer := request.scope["state"].get(ASKING)) is not None:
        request.scope["user"] = officer
        title = text(f"officers.{name}.title", officer.language)
        return shown(request, "officers/refused", {**told, "title": title}, refusal)
    language = spoken(request)
    told |= {**refused(request, refusal, language), "title": text(f"officers.{name}.title", language)}
    return _later(visitors(request, "fault", told, status=refusal.status), refusal)


def visited(
    request: Request[Any, Any, Any],
    name: Literal["login", "code", "invitation", "enrolment"],
    values: Mapping[str, object],
    refusal: LoketError | None = None,
) -> Response[Any]:
    """A page before login, with the visitor's cookie that its form is bound to, and with what is to come after it: the
    page that was asked for, or a form that came too late."""
    visitor = request.cookies.get(VISITOR, "") or new_visitor()
    given = {
        "mark": form_mark(request.app.state["gate"], visitor),
        AFTER: _after(request),
        **values,
        **refused(request, refusal, spoken(request)),
    }
    answer = _later(visitors(request, name, given, status=refusal.status if refusal else 200), refusal)
    answer.set_cookie(cookie(VISITOR, visitor))
    return answer


# For every handler of a page: `@get(path, opt=officer_page(...), **PAGE)`.
PAGE: dict[str, Any] = {"include_in_schema": False, "exception_handlers": {Exception: on_page_error}}


def form_of(request: Request[Any, Any, Any], kind: type[F], *, lists: tuple[str, ...] = ()) -> F:
    """The fields of a form of ours; those in `lists` may come several times. Raises Unprocessable."""
    fields: dict[str, Any] = {name: [] for name in lists}
    for name, typed in sent_fields(request).items():
        if name not in (_BACK, RESUMED):
            fields[name] = typed if name in lists else typed[-1]
    return converted(fields, kind, strict=False)


def came_from(request: Request[Any, Any, Any]) -> str:
    """The page that a form of ours was sent from."""
    [back, *_] = sent_fields(request).get(_BACK, [START])
    return back if is_ours(back) else START


def query_of(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The query of the page that is asked for, or that a form was sent from."""
    if request.method == "GET":
        return dict(request.query_params)
    return dict(parse_qsl(urlsplit(came_from(request)).query))


def in_json(given: str, kind: type[F]) -> F:
    """A field of a form that holds JSON. Raises Unprocessable."""
    try:
        return msgspec.json.decode(given, type=kind)
    except msgspec.DecodeError as error:
        raise Unprocessable(errors=[field_error(str(error))]) from None


def live_answer(told: Mapping[str, Any]) -> Response[Any]:
    """For the script of a page, which keeps what it shows true."""
    return Response(told, media_type="application/json", headers={"Cache-Control": "no-store"})


def sent_to(path: str, *cookies: Cookie | None) -> Response[Any]:
    answer = Redirect(path, status_code=303, headers={"Cache-Control": "no-store"})
    for each in cookies:
        if each is not None:
            answer.set_cookie(each)
    return answer


def is_ours(path: str) -> bool:
    """Whether a path leads to an officers' page here, and nowhere else."""
    own, _, _ = path.partition("?")
    if len(path) > _LONGEST_BACK:
        return False
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


def _later(answer: Response[Any], refusal: LoketError | None) -> Response[Any]:
    if refusal and refusal.retry_after_s:
        answer.headers["Retry-After"] = str(refusal.retry_after_s)
    return answer


def _again(request: Request[Any, Any, Any]) -> Again | None:
    """What was asked for, to be asked for once more. A form of ours goes with the mark it had: if it was carried out
    after all, it is not a second time. One with a secret in it is filled in anew."""
    if request.method in ("GET", "HEAD"):
        return Again(_here(request))
    fields = sent_fields(request)
    if not fields or any(name in fields for name in _SECRETS):
        return None
    return Again(request.url.path, sent_mark(request), fields)


def _here(request: Request[Any, Any, Any]) -> str:
    """Where a change of language leads back to: this page, or the one that a refused form was sent from."""
    if request.method != "GET":
        return came_from(request)
    query = request.scope["query_string"].decode("latin-1")
    return f"{request.url.path}?{query}" if query else request.url.path


def _after(request: Request[Any, Any, Any]) -> str:
    """As the page before has it; from an address a page of ours alone."""
    if request.method != "GET":
        return sent_fields(request).get(AFTER, [""])[0]
    asked = request.query_params.get(AFTER, "")
    return asked if is_ours(asked) else ""


def _to_login(request: Request[Any, Any, Any], *, ended: bool) -> Response[Any]:
    """Afterwards it goes on where it was: at this page, or with the form that was sent."""
    if kept := sealed(request, request.app.state["gate"]):
        told = text("officers.login.interrupted", spoken(request))
        answer = visited(request, "login", {"given": "", "done": told, AFTER: kept})
        answer.status_code = 401
        answer.set_cookie(gone(SESSION))
        return answer
    here = _here(request)
    asked = {**({"ended": "1"} if ended else {}), **({AFTER: here} if here != START else {})}
    return sent_to(f"{LOGIN}?{urlencode(asked)}" if asked else LOGIN, gone(SESSION) if ended else None)


def _done(request: OfficerRequest, folder: str, language: Language) -> str:
    """What the form before this page did, by `?done=`; only words that there are."""
    key = f"{folder}.done.{request.query_params.get('done', '')[:_LONGEST_DONE]}"
    return text(key, language) if has_text(key) else ""

"""HTTP of officers' pages: in with password and code, the first time with an invitation, and a place to begin."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Meta
from sqlalchemy import update

from app.errors import LoketError, Unprocessable
from app.login.gate import Gate
from app.login.guards import PUBLIC, VISITOR_PAGE, OfficerRequest, officer_page
from app.login.officers import enrolment, entry
from app.login.officers.agencies import agency_name, city_zone
from app.login.officers.browsers import MARK, SESSION, VISITOR, cookie, form_mark, gone, new_visitor
from app.login.officers.devices import described, end_own_session, end_page_session, own_sessions
from app.login.officers.models import FULL_NAME, OfficerAccount
from app.login.officers.pages import STYLE, local_time, page, qr_code
from app.login.officers.sessions import Place
from app.problems import field_error, known
from app.telemetry import client_address
from app.texts import LANGUAGES, Language, language_of, text

ANY = officer_page("operator", "supervisor", "agency_head", "city_admin", "auditor")
LOGIN, START = "/dashboard/login", "/dashboard"

Short = Annotated[str, Meta(max_length=60)]
Code = Annotated[str, Meta(pattern="^[0-9 ]{6,7}$")]
F = TypeVar("F")


class LoginForm(msgspec.Struct, forbid_unknown_fields=True):
    name: Short
    password: Annotated[str, Meta(max_length=256)]


class CodeForm(msgspec.Struct, forbid_unknown_fields=True):
    challenge: UUID
    code: Code


class InvitationForm(msgspec.Struct, forbid_unknown_fields=True):
    invitation: Short


class EnrolmentForm(msgspec.Struct, forbid_unknown_fields=True):
    invitation: Short
    password: Annotated[str, Meta(max_length=256)]
    code: Code


class LanguageForm(msgspec.Struct, forbid_unknown_fields=True):
    language: Language


def on_page_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Who is not logged in is shown where to; any other refusal is a page with its words."""
    refusal = known(error)
    if refusal.status == 401:
        ended = refusal.code == "session_revoked"
        return _sent_to(f"{LOGIN}?ended=1" if ended else LOGIN, gone(SESSION) if ended else None)
    language = _language(request)
    shown = page("fault", language, {"problem": text(f"error.{refusal.code}", language, refusal.params)})
    shown.status_code = refusal.status
    return shown


PAGE: dict[str, Any] = {"include_in_schema": False, "exception_handlers": {Exception: on_page_error}}


@get("/dashboard/style.css", opt=PUBLIC, include_in_schema=False)
async def officers_style() -> Response[str]:
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=86400"})


@get(LOGIN, opt=VISITOR_PAGE, **PAGE)
async def login_page(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    notices = ("ended", "left", "enrolled")
    notice = next((each for each in notices if each in request.query_params), None)
    language = _language(request)
    return _visited(request, gate, "login", {"given": "", "done": _said(language, notice)})


@post(LOGIN, opt=VISITOR_PAGE, status_code=200, **PAGE)
async def log_in(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    shown: dict[str, object] = {"given": "", "done": ""}
    try:
        form = await _form(request, LoginForm)
        shown["given"] = form.name
        asked = await entry.check_password(gate, entry.Attempt(form.name, form.password, _place(request)))
    except LoketError as refusal:
        return _visited(request, gate, "login", shown, refusal)
    return _visited(request, gate, "code", {"challenge": asked.challenge_id})


@post(f"{LOGIN}/code", opt=VISITOR_PAGE, status_code=303, **PAGE)
async def give_code(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    form = await _form(request, CodeForm)
    given = entry.Answer(form.challenge, form.code.replace(" ", ""), "page", _place(request))
    try:
        opened = await entry.check_code(gate, given)
    except LoketError as refusal:
        return _visited(request, gate, "code", {"challenge": form.challenge}, refusal)
    await end_page_session(gate, request.cookies.get(SESSION, ""))
    # Always a new cookie: one that came along may have been planted by another.
    return _sent_to(START, cookie(SESSION, opened.cookie), gone(VISITOR))


@get("/dashboard/enrolment", opt=VISITOR_PAGE, **PAGE)
async def invitation_page(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    return _visited(request, gate, "invitation", {})


@post("/dashboard/enrolment", opt=VISITOR_PAGE, status_code=200, **PAGE)
async def use_invitation(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    try:
        form = await _form(request, InvitationForm)
        return await _enrolment_page(request, gate, form.invitation)
    except LoketError as refusal:
        return _visited(request, gate, "invitation", {}, refusal)


@post("/dashboard/enrolment/complete", opt=VISITOR_PAGE, status_code=303, **PAGE)
async def complete_enrolment(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    form = await _form(request, EnrolmentForm)
    chosen = enrolment.Chosen(form.invitation, form.password, form.code.replace(" ", ""))
    try:
        await enrolment.complete(gate, chosen, client_address(request))
    except LoketError as refusal:
        if refusal.code == "invitation_invalid":
            return _visited(request, gate, "invitation", {}, refusal)
        return await _enrolment_page(request, gate, form.invitation, refusal)
    return _sent_to(f"{LOGIN}?enrolled=1")


@get(START, opt=ANY, **PAGE)
async def start_page(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    officer, zone = request.user, city_zone(request)
    async with gate.database.transaction() as session:
        account = await session.get_one(OfficerAccount, officer.id)
        sessions = await own_sessions(session, officer)
    language: Language = "en" if account.language == "en" else "id"
    agency = agency_name(request, officer.agency, language) if officer.agency else None
    return page(
        "start",
        language,
        {
            "officer": officer,
            "full_name": gate.vault.decrypt(account.full_name_enc, FULL_NAME).decode(),
            "agency": agency or text("officers.start.whole_city", language),
            "sessions": sessions,
            "languages": LANGUAGES,
            "at": lambda moment: local_time(moment, zone),
            "mark": form_mark(gate, request.cookies[SESSION]),
        },
    )


@post("/dashboard/language", opt=ANY, status_code=303, **PAGE)
async def choose_language(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    form = await _form(request, LanguageForm)
    async with gate.database.transaction() as session:
        mine = OfficerAccount.id == request.user.id
        await session.execute(update(OfficerAccount).where(mine).values(language=form.language))
    return _sent_to(START)


@post("/dashboard/sessions/{session_id:uuid}/end", opt=ANY, status_code=303, **PAGE)
async def end_session_by_page(
    request: OfficerRequest, session_id: FromPath[UUID], gate: NamedDependency[Gate]
) -> Response[Any]:
    async with gate.database.transaction() as session:
        await end_own_session(session, request.user, session_id, "ended_by_officer")
    return _sent_to(START)


@post("/dashboard/logout", opt=ANY, status_code=303, **PAGE)
async def log_out_by_page(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    async with gate.database.transaction() as session:
        await end_own_session(session, request.user, request.user.session_id, "logout")
    return _sent_to(f"{LOGIN}?left=1", gone(SESSION))


async def _enrolment_page(
    request: Request[Any, Any, Any], gate: Gate, invitation: str, refusal: LoketError | None = None
) -> Response[Any]:
    offer = await enrolment.begin(gate, invitation, client_address(request))
    shown = {"offer": offer, "invitation": invitation, "qr": qr_code(offer.uri)}
    return _visited(request, gate, "enrolment", shown, refusal)


def _visited(
    request: Request[Any, Any, Any],
    gate: Gate,
    name: Literal["login", "code", "invitation", "enrolment"],
    shown: Mapping[str, object],
    refusal: LoketError | None = None,
) -> Response[Any]:
    """A page before login, with the visitor's cookie that its form is bound to."""
    visitor = request.cookies.get(VISITOR, "") or new_visitor()
    language = _language(request)
    problem = _words(refusal, language) if refusal else ""
    answer = page(name, language, {**shown, "problem": problem, "mark": form_mark(gate, visitor)})
    answer.status_code = refusal.status if refusal else 200
    if refusal and refusal.retry_after_s:
        answer.headers["Retry-After"] = str(refusal.retry_after_s)
    answer.set_cookie(cookie(VISITOR, visitor))
    return answer


def _words(refusal: LoketError, language: Language) -> str:
    """What is wrong with a field says more than that something is."""
    if refusal.errors:
        return " ".join(text(f"field.{fault.code}", language, fault.params) for fault in refusal.errors)
    return text(f"error.{refusal.code}", language, refusal.params)


def _said(language: Language, notice: str | None) -> str:
    return text(f"officers.login.{notice}", language) if notice else ""


async def _form(request: Request[Any, Any, Any], kind: type[F]) -> F:
    """The fields of a form of ours. Raises Unprocessable."""
    fields = {name: value for name, value in (await request.form()).multi_items() if name != MARK}
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Unprocessable(errors=[field_error(str(error))]) from None


def _place(request: Request[Any, Any, Any]) -> Place:
    return Place(described(request.headers.get("user-agent", "")), client_address(request))


def _language(request: Request[Any, Any, Any]) -> Language:
    return language_of(request.headers.get("accept-language"))


def _sent_to(path: str, *cookies: Any) -> Response[Any]:
    answer = Redirect(path, status_code=303, headers={"Cache-Control": "no-store"})
    for each in cookies:
        if each is not None:
            answer.set_cookie(each)
    return answer


PAGE_ROUTES = [
    officers_style,
    login_page,
    log_in,
    give_code,
    invitation_page,
    use_invitation,
    complete_enrolment,
    start_page,
    choose_language,
    end_session_by_page,
    log_out_by_page,
]

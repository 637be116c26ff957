"""HTTP of officers' pages: in with password and code, the first time with an invitation, and a place to begin."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta
from sqlalchemy import update

from app.errors import LoketError
from app.login.gate import Gate
from app.login.guards import VISITOR_PAGE, OfficerRequest, officer_page
from app.login.officers import enrolment, entry
from app.login.officers.browsers import SESSION, VISITOR, cookie, form_mark, gone, new_visitor
from app.login.officers.devices import described, end_own_session, end_page_session, own_sessions
from app.login.officers.models import FULL_NAME, OfficerAccount
from app.login.officers.pages import (
    LOGIN,
    PAGE,
    START,
    agency_of,
    form_of,
    in_json,
    in_words,
    is_ours,
    qr_code,
    sent_to,
    shown,
    spoken,
    visitors,
)
from app.login.officers.passkey_pages import PASSKEY_PAGES
from app.login.officers.passkeys import request_options
from app.login.officers.sessions import Place
from app.login.passkey_schemas import UsedCredential
from app.pages.navigation import Entry
from app.telemetry import client_address
from app.texts import Language, text

EVERYBODY = ("operator", "supervisor", "agency_head", "city_admin", "auditor")
ANY = officer_page("operator", "supervisor", "agency_head", "city_admin", "auditor")

Short = Annotated[str, Meta(max_length=60)]
# More than any passkey needs: a form has no parts that could be told apart by size.
Json = Annotated[str, Meta(max_length=80_000)]
Code = Annotated[str, Meta(pattern="^[0-9 ]{6,7}$")]


class LoginForm(msgspec.Struct, forbid_unknown_fields=True):
    name: Short
    password: Annotated[str, Meta(max_length=256)]


class CodeForm(msgspec.Struct, forbid_unknown_fields=True):
    challenge: UUID
    code: Code


class CredentialForm(msgspec.Struct, forbid_unknown_fields=True):
    """`credential`: what the browser gave, as JSON."""

    challenge: UUID
    credential: Json


class InvitationForm(msgspec.Struct, forbid_unknown_fields=True):
    invitation: Short


class EnrolmentForm(msgspec.Struct, forbid_unknown_fields=True):
    invitation: Short
    password: Annotated[str, Meta(max_length=256)]
    code: Code


class LanguageForm(msgspec.Struct, forbid_unknown_fields=True):
    """`back`: the page that the choice was made on."""

    language: Language
    back: Annotated[str, Meta(max_length=2_000)] = START


@get(LOGIN, opt=VISITOR_PAGE, **PAGE)
async def login_page(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    notices = ("ended", "left", "enrolled")
    notice = next((each for each in notices if each in request.query_params), None)
    done = text(f"officers.login.{notice}", spoken(request)) if notice else ""
    return _visited(request, gate, "login", {"given": "", "done": done})


@post(LOGIN, opt=VISITOR_PAGE, status_code=200, **PAGE)
async def log_in(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    values: dict[str, object] = {"given": "", "done": ""}
    try:
        form = await form_of(request, LoginForm)
        values["given"] = form.name
        asked = await entry.check_password(gate, entry.Attempt(form.name, form.password, _place(request)))
    except LoketError as refusal:
        return _visited(request, gate, "login", values, refusal)
    return _second_step(request, gate, asked.challenge_id)


@post(f"{LOGIN}/code", opt=VISITOR_PAGE, status_code=303, **PAGE)
async def give_code(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    form = await form_of(request, CodeForm)
    given = entry.Answer(form.challenge, "page", _place(request), code=form.code.replace(" ", ""))
    return await _let_in(request, gate, given)


@post(f"{LOGIN}/passkey", opt=VISITOR_PAGE, status_code=303, **PAGE)
async def give_passkey(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    form = await form_of(request, CredentialForm)
    credential = in_json(form.credential, UsedCredential)
    return await _let_in(request, gate, entry.Answer(form.challenge, "page", _place(request), credential=credential))


@get("/dashboard/enrolment", opt=VISITOR_PAGE, **PAGE)
async def invitation_page(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    return _visited(request, gate, "invitation", {})


@post("/dashboard/enrolment", opt=VISITOR_PAGE, status_code=200, **PAGE)
async def use_invitation(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    try:
        form = await form_of(request, InvitationForm)
        return await _enrolment_page(request, gate, form.invitation)
    except LoketError as refusal:
        return _visited(request, gate, "invitation", {}, refusal)


@post("/dashboard/enrolment/complete", opt=VISITOR_PAGE, status_code=303, **PAGE)
async def complete_enrolment(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    form = await form_of(request, EnrolmentForm)
    chosen = enrolment.Chosen(form.invitation, form.password, form.code.replace(" ", ""))
    try:
        await enrolment.complete(gate, chosen, client_address(request))
    except LoketError as refusal:
        if refusal.code == "invitation_invalid":
            return _visited(request, gate, "invitation", {}, refusal)
        return await _enrolment_page(request, gate, form.invitation, refusal)
    return sent_to(f"{LOGIN}?enrolled=1")


@get(START, opt=ANY, **PAGE)
async def start_page(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    async with gate.database.transaction() as session:
        account = await session.get_one(OfficerAccount, request.user.id)
        sessions = await own_sessions(session, request.user)
    values = {
        "full_name": gate.vault.decrypt(account.full_name_enc, FULL_NAME).decode(),
        "agency": agency_of(request, request.user.language),
        "sessions": sessions,
    }
    return shown(request, "officers/start", values)


@post("/dashboard/language", opt=ANY, status_code=303, **PAGE)
async def choose_language(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    form = await form_of(request, LanguageForm)
    async with gate.database.transaction() as session:
        mine = OfficerAccount.id == request.user.id
        await session.execute(update(OfficerAccount).where(mine).values(language=form.language))
    return sent_to(form.back if is_ours(form.back) else START)


@post("/dashboard/sessions/{session_id:uuid}/end", opt=ANY, status_code=303, **PAGE)
async def end_session_by_page(
    request: OfficerRequest, session_id: FromPath[UUID], gate: NamedDependency[Gate]
) -> Response[Any]:
    async with gate.database.transaction() as session:
        await end_own_session(session, request.user, session_id, "ended_by_officer")
    return sent_to(START)


@post("/dashboard/logout", opt=ANY, status_code=303, **PAGE)
async def log_out_by_page(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    async with gate.database.transaction() as session:
        await end_own_session(session, request.user, request.user.session_id, "logout")
    return sent_to(f"{LOGIN}?left=1", gone(SESSION))


async def _let_in(request: Request[Any, Any, Any], gate: Gate, given: entry.Answer) -> Response[Any]:
    try:
        opened = await entry.check_answer(gate, given)
    except LoketError as refusal:
        return _second_step(request, gate, given.challenge_id, refusal)
    await end_page_session(gate, request.cookies.get(SESSION, ""))
    # Always a new cookie: one that came along may have been planted by another.
    return sent_to(START, cookie(SESSION, opened.cookie), gone(VISITOR))


def _second_step(
    request: Request[Any, Any, Any], gate: Gate, challenge_id: UUID, refusal: LoketError | None = None
) -> Response[Any]:
    options = msgspec.json.encode(request_options(gate, challenge_id)).decode()
    return _visited(request, gate, "code", {"challenge": challenge_id, "options": options}, refusal)


async def _enrolment_page(
    request: Request[Any, Any, Any], gate: Gate, invitation: str, refusal: LoketError | None = None
) -> Response[Any]:
    offer = await enrolment.begin(gate, invitation, client_address(request))
    values = {"offer": offer, "invitation": invitation, "qr": qr_code(offer.uri)}
    return _visited(request, gate, "enrolment", values, refusal)


def _visited(
    request: Request[Any, Any, Any],
    gate: Gate,
    name: Literal["login", "code", "invitation", "enrolment"],
    values: Mapping[str, object],
    refusal: LoketError | None = None,
) -> Response[Any]:
    """A page before login, with the visitor's cookie that its form is bound to."""
    visitor = request.cookies.get(VISITOR, "") or new_visitor()
    problem = in_words(refusal, spoken(request)) if refusal else ""
    given = {**values, "problem": problem, "mark": form_mark(gate, visitor)}
    answer = visitors(request, name, given, status=refusal.status if refusal else 200)
    if refusal and refusal.retry_after_s:
        answer.headers["Retry-After"] = str(refusal.retry_after_s)
    answer.set_cookie(cookie(VISITOR, visitor))
    return answer


def _place(request: Request[Any, Any, Any]) -> Place:
    return Place(described(request.headers.get("user-agent", "")), client_address(request))


PAGE_ROUTES = [
    login_page,
    log_in,
    give_code,
    give_passkey,
    invitation_page,
    use_invitation,
    complete_enrolment,
    start_page,
    choose_language,
    end_session_by_page,
    log_out_by_page,
    *PASSKEY_PAGES,
]
NAVIGATION = [Entry(START, "pages.start", EVERYBODY, 0, "home")]

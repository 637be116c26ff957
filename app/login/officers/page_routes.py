"""HTTP of officers' pages: in with password and code, the first time with an invitation, and a place to begin."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import LoketError
from app.login.gate import Gate
from app.login.guards import VISITOR_PAGE, OfficerRequest, officer_page
from app.login.officers import enrolment, entry
from app.login.officers.browsers import SESSION, VISITOR, cookie, form_mark, gone, sent_fields
from app.login.officers.devices import described, end_own_session, end_page_session, own_sessions
from app.login.officers.interrupted import LONGEST, unsealed
from app.login.officers.models import FULL_NAME, OfficerAccount
from app.login.officers.once import carried_out_in_session
from app.login.officers.pages import (
    AFTER,
    LOGIN,
    PAGE,
    RESUMED,
    START,
    agency_of,
    came_from,
    form_of,
    in_json,
    is_ours,
    qr_code,
    sent_to,
    shown,
    spoken,
    visited,
    visitors,
)
from app.login.officers.passkey_pages import PASSKEY_PAGES
from app.login.officers.passkeys import request_options
from app.login.officers.sessions import Place
from app.login.passkey_schemas import UsedCredential
from app.pages.navigation import Entry
from app.telemetry import client_network
from app.texts import Language, text

EVERYBODY = ("operator", "supervisor", "agency_head", "city_admin", "auditor")
ANY = officer_page("operator", "supervisor", "agency_head", "city_admin", "auditor")

Short = Annotated[str, Meta(max_length=60)]
# More than any passkey needs: a form has no parts that could be told apart by size.
Json = Annotated[str, Meta(max_length=80_000)]
Code = Annotated[str, Meta(pattern="^[0-9 ]{6,7}$")]


class Onward(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`after`: a page of ours, or a form that is sealed."""

    after: Annotated[str, Meta(max_length=LONGEST)] = ""


class LoginForm(Onward):
    name: Short
    password: Annotated[str, Meta(max_length=256)]


class CodeForm(Onward):
    challenge: UUID
    code: Code


class CredentialForm(Onward):
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
    language: Language


@get(LOGIN, opt=VISITOR_PAGE, **PAGE)
async def login_page(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    notices = ("ended", "left", "enrolled")
    notice = next((each for each in notices if each in request.query_params), None)
    done = text(f"officers.login.{notice}", spoken(request)) if notice else ""
    return visited(request, "login", {"given": "", "done": done})


@post(LOGIN, opt=VISITOR_PAGE, status_code=200, **PAGE)
async def log_in(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    values: dict[str, object] = {"given": "", "done": ""}
    try:
        form = form_of(request, LoginForm)
        values["given"] = form.name
        asked = await entry.check_password(gate, entry.Attempt(form.name, form.password, _place(request)))
    except LoketError as refusal:
        return visited(request, "login", values, refusal)
    return _second_step(request, gate, asked.challenge_id)


@post(f"{LOGIN}/code", opt=VISITOR_PAGE, status_code=303, **PAGE)
async def give_code(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    try:
        form = form_of(request, CodeForm)
    except LoketError as refusal:
        return _asked_again(request, gate, refusal)
    given = entry.Answer(form.challenge, "page", _place(request), code=form.code.replace(" ", ""))
    return await _let_in(request, gate, given)


@post(f"{LOGIN}/passkey", opt=VISITOR_PAGE, status_code=303, **PAGE)
async def give_passkey(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    try:
        form = form_of(request, CredentialForm)
        credential = in_json(form.credential, UsedCredential)
    except LoketError as refusal:
        return _asked_again(request, gate, refusal)
    return await _let_in(request, gate, entry.Answer(form.challenge, "page", _place(request), credential=credential))


@get("/dashboard/enrolment", opt=VISITOR_PAGE, **PAGE)
async def invitation_page(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    return visited(request, "invitation", {})


@post("/dashboard/enrolment", opt=VISITOR_PAGE, status_code=200, **PAGE)
async def use_invitation(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    try:
        form = form_of(request, InvitationForm)
        return await _enrolment_page(request, gate, form.invitation)
    except LoketError as refusal:
        return visited(request, "invitation", {}, refusal)


@post("/dashboard/enrolment/complete", opt=VISITOR_PAGE, status_code=303, **PAGE)
async def complete_enrolment(request: Request[Any, Any, Any], gate: NamedDependency[Gate]) -> Response[Any]:
    [invitation, *_] = sent_fields(request).get("invitation", [""])
    try:
        form = form_of(request, EnrolmentForm)
        chosen = enrolment.Chosen(form.invitation, form.password, form.code.replace(" ", ""))
        await enrolment.complete(gate, chosen, client_network(request))
    except LoketError as refusal:
        if refusal.code == "invitation_invalid":
            return visited(request, "invitation", {}, refusal)
        return await _enrolment_page(request, gate, invitation, refusal)
    return sent_to(f"{LOGIN}?enrolled=1")


@get(START, opt=ANY, **PAGE)
async def start_page(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    return await _started(request, gate)


@post("/dashboard/language", opt=ANY, status_code=303, **PAGE)
async def choose_language(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    form = form_of(request, LanguageForm)
    async with gate.database.transaction() as session:
        mine = OfficerAccount.id == request.user.id
        await session.execute(update(OfficerAccount).where(mine).values(language=form.language))
    return sent_to(came_from(request))


@post("/dashboard/sessions/{session_id:uuid}/end", opt=ANY, status_code=303, **PAGE)
async def end_session_by_page(
    request: OfficerRequest, session_id: FromPath[UUID], gate: NamedDependency[Gate]
) -> Response[Any]:
    async def work(session: AsyncSession) -> str:
        await end_own_session(session, request.user, session_id, "ended_by_officer")
        return START

    return await carried_out_in_session(request, gate.database, work, partial(_started, request, gate))


@post("/dashboard/logout", opt=ANY, status_code=303, **PAGE)
async def log_out_by_page(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    async with gate.database.transaction() as session:
        await end_own_session(session, request.user, request.user.session_id, "logout")
    return sent_to(f"{LOGIN}?left=1", gone(SESSION))


async def _started(request: OfficerRequest, gate: Gate, refusal: LoketError | None = None) -> Response[Any]:
    async with gate.database.transaction() as session:
        account = await session.get_one(OfficerAccount, request.user.id)
        sessions = await own_sessions(session, request.user)
    values = {
        "full_name": gate.vault.decrypt(account.full_name_enc, FULL_NAME).decode(),
        "agency": agency_of(request, request.user.language),
        "sessions": sessions,
    }
    return shown(request, "officers/start", values, refusal)


async def _let_in(request: Request[Any, Any, Any], gate: Gate, given: entry.Answer) -> Response[Any]:
    try:
        opened = await entry.check_answer(gate, given)
    except LoketError as refusal:
        return _second_step(request, gate, given.challenge_id, refusal)
    await end_page_session(gate, request.cookies.get(SESSION, ""))
    # Always a new cookie: one that came along may have been planted by another.
    cookies = cookie(SESSION, opened.cookie), gone(VISITOR)
    [after, *_] = sent_fields(request).get(AFTER, [""])
    form = unsealed(gate, after, opened.officer_id)
    if form is None:
        return sent_to(after if is_ours(after) else START, *cookies)
    answer = visitors(request, "resume", {"mark": form_mark(gate, opened.cookie), "form": form, "resumed": RESUMED})
    for each in cookies:
        answer.set_cookie(each)
    return answer


def _asked_again(request: Request[Any, Any, Any], gate: Gate, refusal: LoketError) -> Response[Any]:
    """For the same proof, where what was sent is none. Raises the refusal where nothing says for which login."""
    try:
        challenge = UUID(sent_fields(request)["challenge"][0])
    except (KeyError, ValueError):
        raise refusal from None
    return _second_step(request, gate, challenge, refusal)


def _second_step(
    request: Request[Any, Any, Any], gate: Gate, challenge_id: UUID, refusal: LoketError | None = None
) -> Response[Any]:
    options = msgspec.json.encode(request_options(gate, challenge_id)).decode()
    return visited(request, "code", {"challenge": challenge_id, "options": options}, refusal)


async def _enrolment_page(
    request: Request[Any, Any, Any], gate: Gate, invitation: str, refusal: LoketError | None = None
) -> Response[Any]:
    offer = await enrolment.begin(gate, invitation, client_network(request))
    values = {"offer": offer, "invitation": invitation, "qr": qr_code(offer.uri)}
    return visited(request, "enrolment", values, refusal)


def _place(request: Request[Any, Any, Any]) -> Place:
    return Place(described(request.headers.get("user-agent", "")), client_network(request))


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

"""HTTP of officers' own login and sessions; their pages and accounts stand beside."""

from typing import Any
from uuid import UUID

from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.login.gate import Gate
from app.login.guards import PUBLIC, OfficerRequest, officer
from app.login.officers import entry
from app.login.officers.account_routes import ACCOUNT_ROUTES
from app.login.officers.devices import end_own_session, own_sessions
from app.login.officers.passkey_routes import PASSKEY_ROUTES
from app.login.officers.passkeys import request_options
from app.login.officers.schemas import (
    OfficerChallengeAnswer,
    OfficerCode,
    OfficerCredential,
    OfficerDevices,
    OfficerLogin,
    OfficerProfile,
    OfficerToken,
)
from app.login.officers.sessions import Place
from app.login.officers.tokens import OFFICER_TOKEN_S, OfficerTokens
from app.problems import problems
from app.telemetry import client_network

ANY_OFFICER = officer("operator", "supervisor", "agency_head", "city_admin", "auditor")


@post(
    "/v1/officer/login",
    status_code=200,
    opt=PUBLIC,
    operation_id="start_officer_login",
    summary="Log in as an officer, first step: name and password",
    description="Answers the same, and takes as long, for a wrong password or an unknown name.",
    tags=["officers"],
    responses=problems(413, 415, 422, "login_busy", public=True),
)
async def start_officer_login(
    data: JSONBody[OfficerLogin], request: Request[Any, Any, Any], gate: NamedDependency[Gate]
) -> OfficerChallengeAnswer:
    place = Place(data.device_name, client_network(request))
    asked = await entry.check_password(gate, entry.Attempt(data.name, data.password, place))
    options = request_options(gate, asked.challenge_id)
    return OfficerChallengeAnswer(asked.challenge_id, ["totp", "passkey"], asked.expires_at, options)


@post(
    "/v1/officer/login/{challenge_id:uuid}",
    opt=PUBLIC,
    operation_id="answer_officer_challenge",
    summary="Log in as an officer, second step: the code of the authenticator, or a passkey",
    description="A code works once. After ten wrong ones the account takes no code for a quarter of an hour.",
    tags=["officers"],
    response_description="A token of a new session",
    responses=problems(
        "not_found",
        413,
        415,
        422,
        "code_wrong",
        "code_expired",
        "code_used",
        "code_exhausted",
        "passkey_wrong",
        "passkey_expired",
        "passkey_used",
        "passkey_exhausted",
        "officer_locked",
        public=True,
    ),
)
async def answer_officer_challenge(
    challenge_id: FromPath[UUID],
    data: JSONBody[OfficerCode | OfficerCredential],
    request: Request[Any, Any, Any],
    gate: NamedDependency[Gate],
) -> OfficerToken:
    place = Place(data.device_name, client_network(request))
    given = {"code": data.code} if isinstance(data, OfficerCode) else {"credential": data.credential}
    opened = await entry.check_answer(gate, entry.Answer(challenge_id, "token", place, **given))
    return _token(gate, opened.officer_id, opened.session_id)


@post(
    "/v1/officer/renew",
    status_code=200,
    opt=ANY_OFFICER,
    operation_id="renew_officer_token",
    summary="Another token for this session",
    description="A token is good for 30 minutes. As long as it is used, a session may go on for twelve hours.",
    tags=["officers"],
    responses=problems("forbidden"),
)
async def renew_officer_token(request: OfficerRequest, gate: NamedDependency[Gate]) -> OfficerToken:
    return _token(gate, request.user.id, request.user.session_id)


@post(
    "/v1/officer/logout",
    status_code=204,
    opt=ANY_OFFICER,
    operation_id="log_officer_out",
    summary="End this session; its tokens end at once",
    tags=["officers"],
    responses=problems("forbidden", "not_found"),
)
async def log_officer_out(request: OfficerRequest, gate: NamedDependency[Gate]) -> None:
    async with gate.database.transaction() as session:
        await end_own_session(session, request.user, request.user.session_id, "logout")


@get(
    "/v1/officer/me",
    opt=ANY_OFFICER,
    operation_id="get_officer",
    summary="Which officer this token belongs to",
    tags=["officers"],
    responses=problems("forbidden"),
)
async def get_officer(request: OfficerRequest) -> OfficerProfile:
    user = request.user
    return OfficerProfile(user.id, user.name, user.agency or None, user.role)


@get(
    "/v1/officer/sessions",
    opt=ANY_OFFICER,
    operation_id="list_officer_sessions",
    summary="Where I am logged in, newest first",
    tags=["officers"],
    responses=problems("forbidden"),
)
async def list_officer_sessions(request: OfficerRequest, gate: NamedDependency[Gate]) -> OfficerDevices:
    async with gate.database.transaction() as session:
        return OfficerDevices(await own_sessions(session, request.user), None)


@delete(
    "/v1/officer/sessions/{session_id:uuid}",
    opt=ANY_OFFICER,
    operation_id="end_officer_session",
    summary="End one of my sessions",
    tags=["officers"],
    responses=problems("forbidden", "not_found"),
)
async def end_officer_session(request: OfficerRequest, session_id: FromPath[UUID], gate: NamedDependency[Gate]) -> None:
    async with gate.database.transaction() as session:
        await end_own_session(session, request.user, session_id, "ended_by_officer")


def _token(gate: Gate, officer_id: UUID, session_id: UUID) -> OfficerToken:
    token = OfficerTokens(gate.keys, gate.issuer).issue(officer_id, session_id)
    return OfficerToken(token, "Bearer", OFFICER_TOKEN_S)


ROUTES = [
    start_officer_login,
    answer_officer_challenge,
    renew_officer_token,
    log_officer_out,
    get_officer,
    list_officer_sessions,
    end_officer_session,
    *PASSKEY_ROUTES,
    *ACCOUNT_ROUTES,
]

"""HTTP of logging in, staying in and leaving."""

from typing import Any
from uuid import UUID

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.errors import Unauthenticated
from app.login import entry, registrations
from app.login.account_routes import ACCOUNT_ROUTES
from app.login.answers import tokens_of
from app.login.devices import coarse_network, end_device, tell_stolen
from app.login.gate import Gate
from app.login.guards import CITIZEN, PUBLIC, Caller
from app.login.identity import checked_person, today_in_indonesia
from app.login.known_devices import known_device
from app.login.limits import count
from app.login.me import ME_ROUTES
from app.login.metadata import METADATA_ROUTES
from app.login.method_schemas import METHODS, OtpAnswer, PasskeyAnswer
from app.login.passkey_routes import PASSKEY_ROUTES
from app.login.passkeys import request_options
from app.login.proofs import PROOF_REFUSALS, brought
from app.login.recovery_routes import RECOVERY_ROUTES
from app.login.registrations import Confirmation
from app.login.schemas import (
    ChallengeAnswer,
    ConfirmRequest,
    RefreshRequest,
    RegistrationRequest,
    RegistrationStarted,
    SessionRequest,
    Tokens,
)
from app.login.sessions import Refused, continue_session
from app.problems import problems
from app.telemetry import client_address, client_network
from app.texts import Language


@post(
    "/v1/login/registrations",
    status_code=202,
    opt=PUBLIC,
    operation_id="start_registration",
    summary="Ask for an account",
    description="Always answers the same, whoever the NIK belongs to. A one-time code goes out by message.",
    tags=["login"],
    responses=problems(413, 415, 422, public=True),
)
async def start_registration(
    data: JSONBody[RegistrationRequest],
    request: Request[Any, Any, Any],
    gate: NamedDependency[Gate],
    language: NamedDependency[Language],
) -> RegistrationStarted:
    person = checked_person(data.nik, data.name, data.birth_date, data.phone, today=today_in_indonesia())
    keys = {"address": client_network(request), "phone": gate.vault.index("phone", person.phone).hex()}
    await count(gate.limiter, "registrations", keys)
    started = await registrations.start(gate, person, language)
    return RegistrationStarted(started.registration_id, started.expires_at)


@post(
    "/v1/login/registrations/{registration_id:uuid}/confirm",
    opt=PUBLIC,
    operation_id="confirm_registration",
    summary="Confirm an account with the code and choose its password",
    tags=["login"],
    response_description="The account, and tokens for this device",
    responses=problems(
        "not_found",
        413,
        415,
        422,
        "code_wrong",
        "code_expired",
        "code_used",
        "code_exhausted",
        "identity_deceased",
        "identity_double",
        "identity_inactive",
        "identity_unproven",
        "login_busy",
        "register_unavailable",
        public=True,
    ),
)
async def confirm_registration(
    registration_id: FromPath[UUID],
    data: JSONBody[ConfirmRequest],
    request: Request[Any, Any, Any],
    gate: NamedDependency[Gate],
) -> Tokens:
    keys = {"address": client_network(request), "account": str(registration_id)}
    await count(gate.limiter, "challenges", keys)
    given = Confirmation(data.code, data.password, data.device_name)
    return tokens_of(gate, await registrations.confirm(gate, registration_id, given))


@post(
    "/v1/login/sessions",
    status_code=200,
    opt=PUBLIC,
    operation_id="start_login",
    summary="Log in, first step: NIK and password",
    description="Answers the same, and takes as long, for a wrong password or an unknown NIK; no code goes out then.",
    tags=["login"],
    responses=problems(413, 415, 422, "login_busy", public=True),
)
async def start_login(
    data: JSONBody[SessionRequest],
    request: Request[Any, Any, Any],
    gate: NamedDependency[Gate],
    language: NamedDependency[Language],
) -> ChallengeAnswer:
    nik_index = gate.vault.index("nik", data.nik)
    device_id = known_device(gate.vault, nik_index, data.device_token)
    strangers = {"address": client_network(request), "account": nik_index.hex()}
    known = {"device": entry.tried_under(gate.vault, nik_index, device_id).hex()}
    await count(gate.limiter, "sessions", known if device_id else strangers)
    attempt = entry.Attempt(data.nik, data.password, data.device_name, device_id)
    asked = await entry.ask_code(gate, attempt, language)
    options = request_options(gate, asked.challenge_id)
    return ChallengeAnswer(asked.challenge_id, METHODS, options, asked.expires_at)


@post(
    "/v1/login/challenges/{challenge_id:uuid}",
    opt=PUBLIC,
    operation_id="answer_challenge",
    summary="Log in, second step: the one-time code, or a passkey",
    description="A passkey raises an account whose identity is proven (level 2) to level 3 for ten minutes.",
    tags=["login"],
    response_description="Tokens for this device",
    responses=problems("not_found", 413, 415, 422, *PROOF_REFUSALS, public=True),
)
async def answer_challenge(
    challenge_id: FromPath[UUID],
    data: JSONBody[OtpAnswer | PasskeyAnswer],
    request: Request[Any, Any, Any],
    gate: NamedDependency[Gate],
) -> Tokens:
    await count(gate.limiter, "challenges", {"address": client_network(request), "account": str(challenge_id)})
    proof = brought(challenge_id, data)
    return tokens_of(gate, await entry.answer(gate, proof, coarse_network(client_address(request))))


@post(
    "/v1/login/refresh",
    status_code=200,
    opt=PUBLIC,
    operation_id="refresh_tokens",
    summary="New tokens for the refresh token of the last answer",
    description="A token works once. Where the answer was lost, the same token may come once more within 60 s and gets "
    "the same successor. Any other replay ends the session.",
    tags=["login"],
    responses=problems("token_invalid", "token_expired", "session_revoked", 413, 415, 422, public=True),
)
async def refresh(
    data: JSONBody[RefreshRequest], request: Request[Any, Any, Any], gate: NamedDependency[Gate]
) -> Tokens:
    keys = {"address": client_network(request), "account": gate.vault.index("refresh", data.refresh_token).hex()}
    await count(gate.limiter, "refresh", keys)
    async with gate.database.transaction() as session:
        network = coarse_network(client_address(request))
        outcome = await continue_session(session, gate.vault, data.refresh_token, network)
        if isinstance(outcome, Refused) and outcome.revoked:
            await tell_stolen(session, gate, outcome)
    if isinstance(outcome, Refused):
        if outcome.revoked:
            await gate.revocations.announce(outcome.revoked)
        raise Unauthenticated(outcome.code)
    return tokens_of(gate, outcome)


@post(
    "/v1/login/logout",
    status_code=204,
    opt=CITIZEN,
    operation_id="log_out",
    summary="Log out on this device",
    tags=["login"],
    responses=problems("not_found"),
)
async def log_out(caller: NamedDependency[Caller], gate: NamedDependency[Gate]) -> None:
    await end_device(gate, caller, caller.session_id, "logout")


ROUTES = [
    start_registration,
    confirm_registration,
    start_login,
    answer_challenge,
    refresh,
    log_out,
    *ME_ROUTES,
    *METADATA_ROUTES,
    *PASSKEY_ROUTES,
    *ACCOUNT_ROUTES,
    *RECOVERY_ROUTES,
]

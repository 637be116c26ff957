"""HTTP of what one logs in with: proving oneself once more, another password, another phone."""

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.login.answers import BEARER, life_of
from app.login.gate import Gate
from app.login.guards import CITIZEN, Caller
from app.login.limits import count
from app.login.method_schemas import (
    OtpStepUp,
    PasskeyStepUp,
    PasswordChange,
    PhoneChangeView,
    PhoneConfirmation,
    Raised,
    StepUpRequest,
    StepUpStarted,
)
from app.login.new_passwords import change_password
from app.login.phone_changes import Standing, confirm_phone_change, phone_change_of, stop_phone_change
from app.login.proofs import PROOF_REFUSALS, brought
from app.login.step_up import offer_step_up, step_up
from app.problems import problems


@post(
    "/v1/me/step-up/options",
    status_code=200,
    opt=CITIZEN,
    operation_id="start_step_up",
    summary="Prove myself once more, first step: a code to my phone, or options for my passkey",
    tags=["me"],
    responses=problems("passkey_missing", "phone_missing", 413, 415, 422),
)
async def start(
    data: JSONBody[StepUpRequest], caller: NamedDependency[Caller], gate: NamedDependency[Gate]
) -> StepUpStarted:
    await count(gate.limiter, "step_up", {"account": str(caller.id)})
    offered = await offer_step_up(gate, caller, data.method)
    return StepUpStarted(offered.challenge_id, offered.options, offered.expires_at)


@post(
    "/v1/me/step-up",
    status_code=200,
    opt=CITIZEN,
    operation_id="step_up",
    summary="Prove myself once more, second step: the code or the passkey",
    description="For ten minutes I may change what I log in with. A passkey also raises an account whose identity is "
    "proven (level 2) to level 3 for that time.",
    tags=["me"],
    responses=problems(
        "not_found",
        413,
        415,
        422,
        *PROOF_REFUSALS,
    ),
)
async def raise_level(
    data: JSONBody[OtpStepUp | PasskeyStepUp], caller: NamedDependency[Caller], gate: NamedDependency[Gate]
) -> Raised:
    await count(gate.limiter, "challenges", {"account": str(data.challenge_id)})
    proven = await step_up(gate, caller, brought(data.challenge_id, data))
    life_s = life_of(proven.raised_until)
    token = gate.tokens.issue(caller.id, caller.session_id, proven.assurance_level, life_s=life_s)
    return Raised(token, BEARER, life_s, proven.assurance_level, proven.raised_until)


@post(
    "/v1/me/password",
    status_code=204,
    opt=CITIZEN,
    operation_id="change_password",
    summary="Change my password; every other device is logged out",
    tags=["me"],
    responses=problems(413, 415, 422, "password_wrong", "login_busy"),
)
async def change(data: JSONBody[PasswordChange], caller: NamedDependency[Caller], gate: NamedDependency[Gate]) -> None:
    await count(gate.limiter, "passwords", {"account": str(caller.id)})
    await change_password(gate, caller, data.password, data.new_password)


@get(
    "/v1/me/phone-change",
    opt=CITIZEN,
    operation_id="get_my_phone_change",
    summary="The change of phone that is under way",
    tags=["me"],
    responses=problems("phone_change_missing"),
)
async def get_phone_change(caller: NamedDependency[Caller], gate: NamedDependency[Gate]) -> PhoneChangeView:
    return _view(await phone_change_of(gate, caller.id))


@post(
    "/v1/me/phone-change/confirm",
    status_code=200,
    opt=CITIZEN,
    operation_id="confirm_phone_change",
    summary="Confirm the new number, and agree to it with the old one",
    description="Asked for by `PATCH /v1/me`. With both codes the change takes effect at once; with the new number's "
    "alone 24 hours later, and until then it may be stopped.",
    tags=["me"],
    responses=problems(
        "phone_change_missing", 413, 415, 422, "code_wrong", "code_expired", "code_used", "code_exhausted"
    ),
)
async def confirm(
    data: JSONBody[PhoneConfirmation], caller: NamedDependency[Caller], gate: NamedDependency[Gate]
) -> PhoneChangeView:
    await count(gate.limiter, "challenges", {"account": str(caller.id)})
    return _view(await confirm_phone_change(gate, caller.id, data.code, data.old_code))


@delete(
    "/v1/me/phone-change",
    opt=CITIZEN,
    operation_id="stop_phone_change",
    summary="Stop the change of phone",
    tags=["me"],
    responses=problems("phone_change_missing"),
)
async def stop(caller: NamedDependency[Caller], gate: NamedDependency[Gate]) -> None:
    await stop_phone_change(gate, caller.id)


def _view(standing: Standing) -> PhoneChangeView:
    return PhoneChangeView(standing.phone, standing.state, standing.expires_at, standing.due_at)


ACCOUNT_ROUTES = [start, raise_level, change, get_phone_change, confirm, stop]

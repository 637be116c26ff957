"""HTTP of a forgotten password."""

from typing import Any
from uuid import UUID

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.login import entry
from app.login.answers import tokens_of
from app.login.devices import coarse_network
from app.login.gate import Gate
from app.login.guards import PUBLIC
from app.login.known_devices import known_device
from app.login.limits import count
from app.login.method_schemas import METHODS, ForgottenPassword, ForgottenStarted, OtpRecovery, PasskeyRecovery
from app.login.new_passwords import Recovery, recover
from app.login.passkeys import request_options
from app.login.proofs import PROOF_REFUSALS, brought
from app.login.recovery import Forgetful, start_recovery
from app.login.schemas import Tokens
from app.problems import problems
from app.telemetry import client_address, client_network


@post(
    "/v1/login/recoveries",
    status_code=202,
    opt=PUBLIC,
    operation_id="start_recovery",
    summary="Forgotten password, first step: NIK",
    description="Always answers the same, whoever the NIK belongs to. Where it has an account, a code goes to its "
    "phone, unless nothing has come back from that phone for 60 days: a number that rested may be somebody else's by "
    "now. A passkey answers all the same.",
    tags=["login"],
    responses=problems(413, 415, 422, public=True),
)
async def start(
    data: JSONBody[ForgottenPassword], request: Request[Any, Any, Any], gate: NamedDependency[Gate]
) -> ForgottenStarted:
    nik_index = gate.vault.index("nik", data.nik)
    device_id = known_device(gate.vault, nik_index, data.device_token)
    account = entry.tried_under(gate.vault, nik_index, device_id)
    strangers = {"address": client_network(request), "account": nik_index.hex()}
    await count(gate.limiter, "recoveries", {"device": account.hex()} if device_id else strangers)
    started = await start_recovery(gate, Forgetful(nik_index, account, data.device_name))
    options = request_options(gate, started.challenge_id)
    return ForgottenStarted(started.challenge_id, METHODS, options, started.expires_at)


@post(
    "/v1/login/recoveries/{recovery_id:uuid}/confirm",
    opt=PUBLIC,
    operation_id="confirm_recovery",
    summary="Forgotten password, second step: the code or a passkey, and the new password",
    description="Every other session of the account ends.",
    tags=["login"],
    response_description="Tokens for this device",
    responses=problems(
        "not_found",
        413,
        415,
        422,
        *PROOF_REFUSALS,
        "login_busy",
        public=True,
    ),
)
async def confirm(
    recovery_id: FromPath[UUID],
    data: JSONBody[OtpRecovery | PasskeyRecovery],
    request: Request[Any, Any, Any],
    gate: NamedDependency[Gate],
) -> Tokens:
    await count(gate.limiter, "challenges", {"address": client_network(request), "account": str(recovery_id)})
    recovery = Recovery(brought(recovery_id, data), data.password, coarse_network(client_address(request)))
    return tokens_of(gate, await recover(gate, recovery))


RECOVERY_ROUTES = [start, confirm]

"""HTTP of one's own passkeys."""

from uuid import UUID

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.login.gate import Gate
from app.login.guards import CITIZEN, Caller
from app.login.limits import count
from app.login.passkey_schemas import NewPasskey, Passkeys, PasskeyStarted, PasskeyView, passkey_view
from app.login.passkeys import add_passkey, passkeys_of, remove_passkey, start_passkey
from app.problems import problems


@post(
    "/v1/me/passkeys/options",
    status_code=200,
    opt=CITIZEN,
    operation_id="start_passkey",
    summary="Options for making a passkey on this device",
    description="For `navigator.credentials.create()`, within ten minutes of logging in or stepping up.",
    tags=["me"],
    responses=problems("step_up_needed", "too_many_passkeys"),
)
async def start(caller: NamedDependency[Caller], gate: NamedDependency[Gate]) -> PasskeyStarted:
    await count(gate.limiter, "passkeys", {"account": str(caller.id)})
    started = await start_passkey(gate, caller)
    return PasskeyStarted(started.challenge_id, started.options, started.expires_at)


@post(
    "/v1/me/passkeys",
    opt=CITIZEN,
    operation_id="add_passkey",
    summary="Add the passkey that was made",
    description="Needs no Idempotency-Key: the options are good once, and sent twice the passkey is added once.",
    tags=["me"],
    responses=problems(
        "step_up_needed",
        "not_found",
        "too_many_passkeys",
        "passkey_known",
        413,
        415,
        422,
        "passkey_wrong",
        "passkey_expired",
        "passkey_used",
        "passkey_exhausted",
    ),
)
async def add(data: JSONBody[NewPasskey], caller: NamedDependency[Caller], gate: NamedDependency[Gate]) -> PasskeyView:
    await count(gate.limiter, "challenges", {"account": str(data.challenge_id)})
    return passkey_view(await add_passkey(gate, caller, data))


@get(
    "/v1/me/passkeys",
    opt=CITIZEN,
    operation_id="list_my_passkeys",
    summary="My passkeys, newest first",
    tags=["me"],
    responses=problems(),
)
async def list_passkeys(caller: NamedDependency[Caller], gate: NamedDependency[Gate]) -> Passkeys:
    return Passkeys([passkey_view(passkey) for passkey in await passkeys_of(gate, caller.id)])


@delete(
    "/v1/me/passkeys/{passkey_id:uuid}",
    opt=CITIZEN,
    operation_id="remove_passkey",
    summary="Remove one of my passkeys",
    tags=["me"],
    responses=problems("not_found"),
)
async def remove(passkey_id: FromPath[UUID], caller: NamedDependency[Caller], gate: NamedDependency[Gate]) -> None:
    await remove_passkey(gate, caller, passkey_id)


PASSKEY_ROUTES = [start, add, list_passkeys, remove]

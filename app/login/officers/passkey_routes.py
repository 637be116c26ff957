"""HTTP of an officer's own passkeys."""

from uuid import UUID

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.login.gate import Gate
from app.login.guards import OfficerRequest, officer
from app.login.officers.passkeys import add_passkey, passkeys_of, remove_passkey, start_passkey
from app.login.passkey_schemas import NewPasskey, Passkeys, PasskeyStarted, PasskeyView, passkey_view
from app.problems import problems

ANY_OFFICER = officer("operator", "supervisor", "agency_head", "city_admin", "auditor")


@post(
    "/v1/officer/passkeys/options",
    status_code=200,
    opt=ANY_OFFICER,
    operation_id="start_officer_passkey",
    summary="Options for making a passkey on this device",
    description="For `navigator.credentials.create()`, within ten minutes of logging in.",
    tags=["officers"],
    responses=problems("forbidden", "officer_session_old", "too_many_passkeys"),
)
async def start(request: OfficerRequest, gate: NamedDependency[Gate]) -> PasskeyStarted:
    started = await start_passkey(gate, request.user)
    return PasskeyStarted(started.challenge_id, started.options, started.expires_at)


@post(
    "/v1/officer/passkeys",
    opt=ANY_OFFICER,
    operation_id="add_officer_passkey",
    summary="Add the passkey that was made",
    description="Needs no Idempotency-Key: the options are good once, and sent twice the passkey is added once.",
    tags=["officers"],
    responses=problems(
        "forbidden",
        "officer_session_old",
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
async def add(data: JSONBody[NewPasskey], request: OfficerRequest, gate: NamedDependency[Gate]) -> PasskeyView:
    return passkey_view(await add_passkey(gate, request.user, data))


@get(
    "/v1/officer/passkeys",
    opt=ANY_OFFICER,
    operation_id="list_officer_passkeys",
    summary="My passkeys, newest first",
    tags=["officers"],
    responses=problems("forbidden"),
)
async def list_passkeys(request: OfficerRequest, gate: NamedDependency[Gate]) -> Passkeys:
    async with gate.database.transaction() as session:
        return Passkeys([passkey_view(passkey) for passkey in await passkeys_of(session, request.user.id)])


@delete(
    "/v1/officer/passkeys/{passkey_id:uuid}",
    opt=ANY_OFFICER,
    operation_id="remove_officer_passkey",
    summary="Remove one of my passkeys",
    tags=["officers"],
    responses=problems("forbidden", "not_found"),
)
async def remove(passkey_id: FromPath[UUID], request: OfficerRequest, gate: NamedDependency[Gate]) -> None:
    async with gate.database.transaction() as session:
        await remove_passkey(session, gate, request.user, passkey_id)


PASSKEY_ROUTES = [start, add, list_passkeys, remove]

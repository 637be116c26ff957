"""HTTP of one's own account: profile and devices."""

from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy import update

from app.answers import EncodedJson
from app.cursor import decode_cursor, encode_cursor
from app.errors import FieldError, Unauthenticated, Unprocessable
from app.login.devices import Page, coarse_network, end_all_devices, end_device, list_devices
from app.login.gate import Gate
from app.login.guards import CITIZEN, Caller, CitizenRequest
from app.login.identity import checked_phone
from app.login.limits import count
from app.login.models import Citizen
from app.login.new_passwords import check_password
from app.login.phone_changes import ask_phone_change
from app.login.profiles import Profile
from app.login.schemas import Devices, ProfileChange
from app.parameters import Cursor, Limit
from app.problems import problems
from app.telemetry import client_address


@get(
    "/v1/me",
    opt=CITIZEN,
    operation_id="get_me",
    summary="My profile, with NIK and phone masked",
    tags=["me"],
    responses=problems(),
)
async def get_me(request: CitizenRequest) -> Response[Profile]:
    # No dependencies: this is the product's hottest read, and resolving two of them costs as much as all the rest.
    gate: Gate = request.app.state["gate"]
    profile = await gate.profiles.get(request.user.id)
    if profile is None:
        raise Unauthenticated("token_invalid")
    return EncodedJson(msgspec.json.encode(profile))


@patch(
    "/v1/me",
    opt=CITIZEN,
    operation_id="change_me",
    summary="Change the language messages are written to me in, or ask for another phone",
    description="A new phone is confirmed by `POST /v1/me/phone-change/confirm`; until then nothing changes.",
    tags=["me"],
    responses=problems(413, 415, 422, "password_wrong", "login_busy"),
)
async def change_me(
    data: JSONBody[ProfileChange], caller: NamedDependency[Caller], gate: NamedDependency[Gate]
) -> Profile:
    if data.phone is not msgspec.UNSET:
        await _ask_for_phone(gate, caller, data.phone, data.password)
    if data.language is not msgspec.UNSET:
        async with gate.database.transaction() as session:
            await session.execute(update(Citizen).where(Citizen.id == caller.id).values(language=data.language))
        await gate.profiles.changed(caller.id)
    profile = await gate.profiles.get(caller.id)
    if profile is None:
        raise Unauthenticated("token_invalid")
    return profile


@get(
    "/v1/me/sessions",
    opt=CITIZEN,
    operation_id="list_my_sessions",
    summary="Devices I am logged in on, newest first",
    tags=["me"],
    responses=problems(),
)
async def list_sessions(
    request: CitizenRequest,
    gate: NamedDependency[Gate],
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Devices:
    before = decode_cursor(cursor, tuple[UUID])[0] if cursor else None
    page = Page(limit + 1, before, coarse_network(client_address(request)))
    found = await list_devices(gate, request.user, page)
    more = len(found) > limit
    return Devices(found[:limit], encode_cursor((found[limit - 1].id,)) if more else None)


@delete(
    "/v1/me/sessions/{session_id:uuid}",
    opt=CITIZEN,
    operation_id="end_my_session",
    summary="Log one device out",
    tags=["me"],
    responses=problems("not_found"),
)
async def end_session(session_id: FromPath[UUID], caller: NamedDependency[Caller], gate: NamedDependency[Gate]) -> None:
    await end_device(gate, caller, session_id, "ended_by_citizen")


@delete(
    "/v1/me/sessions",
    opt=CITIZEN,
    operation_id="end_all_my_sessions",
    summary="Log every device out, this one too",
    tags=["me"],
    responses=problems(),
)
async def end_sessions(caller: NamedDependency[Caller], gate: NamedDependency[Gate]) -> None:
    await end_all_devices(gate, caller)


async def _ask_for_phone(gate: Gate, caller: Caller, phone: str, password: str | msgspec.UnsetType) -> None:
    if password is msgspec.UNSET:
        raise Unprocessable(errors=[FieldError("/password", "required")])
    number = checked_phone(phone)
    await count(gate.limiter, "phones", {"account": str(caller.id), "phone": gate.vault.index("phone", number).hex()})
    await check_password(gate, caller, password)
    await ask_phone_change(gate, caller.id, number)


ME_ROUTES = [get_me, change_me, list_sessions, end_session, end_sessions]

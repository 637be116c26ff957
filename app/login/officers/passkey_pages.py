"""Pages of an officer's own passkeys. Making one needs our script, as browsers make them for scripts alone."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import LoketError
from app.login.gate import Gate
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.once import carried_out_in_session
from app.login.officers.pages import PAGE, form_of, in_json, sent_to, shown
from app.login.officers.passkeys import add_passkey, passkeys_of, remove_passkey, start_passkey
from app.login.passkey_schemas import NewCredential, NewPasskey, PasskeyName

ANY = officer_page("operator", "supervisor", "agency_head", "city_admin", "auditor")
PASSKEYS = "/dashboard/passkeys"


class MadeForm(msgspec.Struct, forbid_unknown_fields=True):
    """`credential`: what the browser gave, as JSON."""

    challenge: UUID
    credential: Annotated[str, Meta(max_length=80_000)]
    name: PasskeyName = ""


@get(PASSKEYS, opt=ANY, **PAGE)
async def passkeys_page(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    return await _listed(request, gate)


@post(f"{PASSKEYS}/new", opt=ANY, status_code=200, **PAGE)
async def new_passkey_page(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    try:
        started = await start_passkey(gate, request.user)
    except LoketError as refusal:
        return await _listed(request, gate, refusal)
    options = msgspec.json.encode(started.options).decode()
    return shown(request, "officers/passkey", {"challenge": started.challenge_id, "options": options})


@post(PASSKEYS, opt=ANY, status_code=303, **PAGE)
async def add_passkey_by_page(request: OfficerRequest, gate: NamedDependency[Gate]) -> Response[Any]:
    try:
        form = form_of(request, MadeForm)
        given = NewPasskey(form.challenge, in_json(form.credential, NewCredential), form.name.strip())
        await add_passkey(gate, request.user, given)
    except LoketError as refusal:
        return await _listed(request, gate, refusal)
    return sent_to(f"{PASSKEYS}?done=passkey_added")


@post(f"{PASSKEYS}/{{passkey_id:uuid}}/remove", opt=ANY, status_code=303, **PAGE)
async def remove_passkey_by_page(
    request: OfficerRequest, passkey_id: FromPath[UUID], gate: NamedDependency[Gate]
) -> Response[Any]:
    async def work(session: AsyncSession) -> str:
        await remove_passkey(session, gate, request.user, passkey_id)
        return f"{PASSKEYS}?done=passkey_removed"

    return await carried_out_in_session(request, gate.database, work, partial(_listed, request, gate))


async def _listed(request: OfficerRequest, gate: Gate, refusal: LoketError | None = None) -> Response[Any]:
    async with gate.database.transaction() as session:
        found = await passkeys_of(session, request.user.id)
    return shown(request, "officers/passkeys", {"passkeys": found}, refusal)


PASSKEY_PAGES = [passkeys_page, new_passkey_page, add_passkey_by_page, remove_passkey_by_page]

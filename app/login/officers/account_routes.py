"""HTTP of officers' accounts: adding, listing, disabling, and recovery with four eyes."""

from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from app.answers import REPLAYED
from app.cursor import decode_cursor, encode_cursor
from app.errors import Forbidden
from app.login.gate import Gate
from app.login.guards import OfficerRequest, officer
from app.login.officers import accounts, recoveries
from app.login.officers.adding import checked_officer
from app.login.officers.agencies import agency_ids
from app.login.officers.keyed import created_in_session
from app.login.officers.recoveries import Recovery
from app.login.officers.schemas import (
    InvitationShown,
    OfficerInvited,
    OfficerList,
    OfficerRequested,
    RecoveryList,
    RecoveryRequest,
)
from app.parameters import Cursor, Limit, NeededKey
from app.problems import problems

ADMIN = officer("city_admin")
# A head adds and disables operators and supervisors of their own agency; a supervisor sees them; an auditor sees all.
MANAGES = officer("agency_head", "city_admin")
SEES = officer("supervisor", "agency_head", "city_admin", "auditor")


@get(
    "/v1/officer/officers",
    opt=SEES,
    operation_id="list_officers",
    summary="Officers of my agency, or of the whole city",
    tags=["officers"],
    responses=problems("forbidden"),
)
async def list_officers(
    request: OfficerRequest, gate: NamedDependency[Gate], limit: Limit = 20, cursor: Cursor = None
) -> OfficerList:
    after = decode_cursor(cursor, tuple[str])[0] if cursor else ""
    async with gate.database.transaction() as session:
        found = await accounts.listed(session, gate.vault, request.user, limit + 1, after)
    more = len(found) > limit
    return OfficerList(found[:limit], encode_cursor((found[limit - 1].name,)) if more else None)


@post(
    "/v1/officer/officers",
    opt=MANAGES,
    operation_id="add_officer",
    summary="Add an officer, who enrols with the invitation in the answer",
    description="A head of an agency adds operators and supervisors of that agency. Needs an Idempotency-Key.",
    tags=["officers"],
    response_headers=[REPLAYED],
    responses=problems("forbidden", "officer_name_taken", 413, 415, 422),
)
async def add_officer(
    data: JSONBody[OfficerRequested],
    request: OfficerRequest,
    gate: NamedDependency[Gate],
    idempotency_key: NeededKey,
) -> Response[OfficerInvited]:
    new = checked_officer(data, agency_ids(request), str(request.user.id))
    if not accounts.may_add(request.user, new.role, new.agency):
        raise Forbidden

    async def work(session: AsyncSession) -> OfficerInvited:
        account, invitation = await accounts.add(session, gate.vault, new)
        return OfficerInvited(account.id, account.name, "invited", invitation.word, invitation.expires_at)

    return await created_in_session(request, gate, work)


@post(
    "/v1/officer/officers/{officer_id:uuid}/invitation",
    opt=MANAGES,
    operation_id="invite_officer_again",
    summary="Another invitation in place of one that was not used",
    description="Needs an Idempotency-Key: sent again with it, the same invitation, and not one more in its place.",
    tags=["officers"],
    response_headers=[REPLAYED],
    responses=problems("forbidden", "not_found", "officer_not_invited"),
)
async def invite_officer_again(
    request: OfficerRequest, officer_id: FromPath[UUID], gate: NamedDependency[Gate], idempotency_key: NeededKey
) -> Response[InvitationShown]:
    async def work(session: AsyncSession) -> InvitationShown:
        invitation = await accounts.invite_again(session, officer_id, request.user)
        return InvitationShown(invitation.word, invitation.expires_at)

    return await created_in_session(request, gate, work)


@post(
    "/v1/officer/officers/{officer_id:uuid}/disable",
    status_code=204,
    opt=MANAGES,
    operation_id="disable_officer",
    summary="Shut an officer's account; all its sessions end at once",
    tags=["officers"],
    responses=problems("forbidden", "own_account", "not_found"),
)
async def disable_officer(request: OfficerRequest, officer_id: FromPath[UUID], gate: NamedDependency[Gate]) -> None:
    async with gate.database.transaction() as session:
        await accounts.disable(session, officer_id, request.user)


@post(
    "/v1/officer/officers/{officer_id:uuid}/recovery",
    opt=ADMIN,
    operation_id="ask_officer_recovery",
    summary="Ask that an officer gets a new password and second proof",
    description="Another city admin decides within a day. One waits at a time: a second is 409. Needs an "
    "Idempotency-Key.",
    tags=["officers"],
    response_headers=[REPLAYED],
    responses=problems(
        "forbidden", "own_account", "not_found", "officer_not_active", "recovery_waiting", 413, 415, 422
    ),
)
async def ask_officer_recovery(
    data: JSONBody[RecoveryRequest],
    request: OfficerRequest,
    officer_id: FromPath[UUID],
    gate: NamedDependency[Gate],
    idempotency_key: NeededKey,
) -> Response[Recovery]:
    async def work(session: AsyncSession) -> Recovery:
        return await recoveries.ask(gate, session, (officer_id, data.reason), request.user)

    return await created_in_session(request, gate, work)


@get(
    "/v1/officer/recoveries",
    opt=officer("city_admin", "auditor"),
    operation_id="list_officer_recoveries",
    summary="Recoveries that wait for a decision",
    tags=["officers"],
    responses=problems("forbidden"),
)
async def list_officer_recoveries(gate: NamedDependency[Gate]) -> RecoveryList:
    async with gate.database.transaction() as session:
        return RecoveryList(await recoveries.waiting(session), None)


@post(
    "/v1/officer/recoveries/{recovery_id:uuid}/approval",
    opt=ADMIN,
    operation_id="approve_officer_recovery",
    summary="Approve another admin's request; the officer enrols anew with the invitation in the answer",
    description="Ends the officer's sessions, password and second proof. Not by who asked, nor by the officer. Needs "
    "an Idempotency-Key.",
    tags=["officers"],
    response_headers=[REPLAYED],
    responses=problems("forbidden", "four_eyes", "not_found", "officer_not_active"),
)
async def approve_officer_recovery(
    request: OfficerRequest, recovery_id: FromPath[UUID], gate: NamedDependency[Gate], idempotency_key: NeededKey
) -> Response[InvitationShown]:
    async def work(session: AsyncSession) -> InvitationShown:
        invitation = await recoveries.approve(gate, session, recovery_id, request.user)
        return InvitationShown(invitation.word, invitation.expires_at)

    return await created_in_session(request, gate, work)


@post(
    "/v1/officer/recoveries/{recovery_id:uuid}/refusal",
    status_code=204,
    opt=ADMIN,
    operation_id="refuse_officer_recovery",
    summary="Refuse another admin's request; the account stays as it is",
    tags=["officers"],
    responses=problems("forbidden", "four_eyes", "not_found"),
)
async def refuse_officer_recovery(
    request: OfficerRequest, recovery_id: FromPath[UUID], gate: NamedDependency[Gate]
) -> None:
    await recoveries.refuse(gate, recovery_id, request.user)


ACCOUNT_ROUTES = [
    list_officers,
    add_officer,
    invite_officer_again,
    disable_officer,
    ask_officer_recovery,
    list_officer_recoveries,
    approve_officer_recovery,
    refuse_officer_recovery,
]

"""Officers' accounts: adding, listing and disabling, each within what the one who asks may touch."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import Conflict, Forbidden, NotFound
from app.ids import uuid7
from app.login.guards import Officer, Role
from app.login.officers.invitations import Invitation, invite
from app.login.officers.models import FULL_NAME, PHONE, OfficerAccount, OfficerSession, State
from app.login.officers.sessions import end_officer_sessions
from app.login.officers.totp import sealed
from app.login.officers.trail import note
from app.privacy import Vault
from app.texts import Language

CITY_WIDE: frozenset[Role] = frozenset({"city_admin", "auditor"})
# A head of an agency adds and disables the agency's own officers, never another head.
_UNDER_A_HEAD: frozenset[Role] = frozenset({"operator", "supervisor"})


class NewOfficer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be made an officer. `agency` is "" for the roles of the whole city; `created_by` stands in the row."""

    name: str
    full_name: str
    agency: str
    role: Role
    created_by: str
    phone: str = ""
    language: Language = "id"


class Factors(msgspec.Struct, frozen=True):
    """What an officer proves themselves with: the hash of a password, and the secret that codes are made from."""

    password_hash: str
    totp_secret: str


class Listed(msgspec.Struct, frozen=True):
    """One account as others see it."""

    id: UUID
    name: str
    full_name: str
    agency: str | None
    role: Role
    state: State


def new_account(session: AsyncSession, vault: Vault, new: NewOfficer, factors: Factors | None = None) -> OfficerAccount:
    """An account in the caller's transaction: active with its factors, without them waiting for its invitation."""
    account = OfficerAccount(
        id=uuid7(),
        name=new.name,
        full_name_enc=vault.encrypt(new.full_name.encode(), FULL_NAME),
        phone_enc=vault.encrypt(new.phone.encode(), PHONE) if new.phone else None,
        agency=new.agency,
        role=new.role,
        state="active" if factors else "invited",
        language=new.language,
        password_hash=factors.password_hash if factors else "",
        totp_enc=sealed(vault, factors.totp_secret) if factors else None,
        created_by=new.created_by,
    )
    session.add(account)
    return account


async def add(session: AsyncSession, vault: Vault, new: NewOfficer) -> tuple[OfficerAccount, Invitation]:
    """Raises Conflict where the name is taken."""
    account = new_account(session, vault, new)
    invitation = invite(account)
    try:
        await session.flush()
    except IntegrityError:
        raise Conflict("officer_name_taken") from None
    await note(session, new.created_by, "added", account.id, new.role)
    return account, invitation


async def listed(session: AsyncSession, vault: Vault, viewer: Officer, limit: int, after: str) -> Sequence[Listed]:
    """The accounts that the viewer may see, by name, those after `after`."""
    found = await session.scalars(
        select(OfficerAccount)
        .where(_within(viewer), OfficerAccount.name > after)
        .order_by(OfficerAccount.name)
        .limit(limit)
    )
    return [seen(vault, account) for account in found]


async def disable(session: AsyncSession, officer_id: UUID, by: Officer) -> None:
    """Shut an account and end its sessions. Raises NotFound, Forbidden for one's own."""
    account = await held(session, officer_id, by)
    if account.id == by.id:
        raise Forbidden("own_account")
    await shut(session, account, str(by.id))


async def shut(session: AsyncSession, account: OfficerAccount, actor: str) -> None:
    """The same, whoever `actor` is."""
    account.state = "disabled"
    account.invitation_hash = account.invited_until = None
    await end_officer_sessions(session, OfficerSession.officer_id == account.id, "disabled")
    await note(session, actor, "disabled", account.id)


async def invite_again(session: AsyncSession, officer_id: UUID, by: Officer) -> Invitation:
    """Another invitation for one who has not used theirs. Raises NotFound, Conflict."""
    account = await held(session, officer_id, by)
    if account.state != "invited":
        raise Conflict("officer_not_invited")
    await note(session, by.id, "invited", account.id)
    return invite(account)


async def held(session: AsyncSession, officer_id: UUID, by: Officer) -> OfficerAccount:
    """The account, locked, where `by` may change it. Raises NotFound, also for another agency's."""
    account = await session.scalar(
        select(OfficerAccount)
        .where(OfficerAccount.id == officer_id, _within(by), _changeable(by))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if account is None:
        raise NotFound
    return account


def may_add(by: Officer, role: Role, agency: str) -> bool:
    return by.role == "city_admin" or (role in _UNDER_A_HEAD and agency == by.agency)


def seen(vault: Vault, account: OfficerAccount) -> Listed:
    return Listed(
        id=account.id,
        name=account.name,
        full_name=vault.decrypt(account.full_name_enc, FULL_NAME).decode(),
        agency=account.agency or None,
        role=msgspec.convert(account.role, Role),
        state=msgspec.convert(account.state, State),
    )


def _within(viewer: Officer) -> ColumnElement[bool]:
    return OfficerAccount.agency == viewer.agency if viewer.agency else true()


def _changeable(by: Officer) -> ColumnElement[bool]:
    return true() if by.role == "city_admin" else OfficerAccount.role.in_(_UNDER_A_HEAD)

"""First login with an invitation: a password and a second proof, both before the account is one that can log in."""

import time

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import FieldError, Unprocessable
from app.login.gate import Gate
from app.login.officers.invitations import invitation_hash
from app.login.officers.limits import count_address
from app.login.officers.models import FULL_NAME, TOTP, OfficerAccount
from app.login.officers.totp import new_secret, provisioning_uri, sealed, step_of
from app.login.officers.trail import note
from app.login.passwords import password_faults


class Offer(msgspec.Struct, frozen=True):
    """What the officer puts into their authenticator."""

    name: str
    secret: str
    uri: str


class Chosen(msgspec.Struct, frozen=True):
    """What completes an enrolment."""

    invitation: str
    password: str
    code: str


async def begin(gate: Gate, invitation: str, address: str) -> Offer:
    """The secret of an invitation, the same however often it is asked for. Raises Unprocessable, TooManyRequests."""
    await count_address(gate, "enrolment", address)
    async with gate.database.transaction() as session:
        account = await _invited(session, invitation)
        if account.totp_enc is None:
            account.totp_enc = sealed(gate.vault, new_secret())
        secret = gate.vault.decrypt(account.totp_enc, TOTP).decode()
    return Offer(account.name, secret, provisioning_uri(secret, account.name))


async def complete(gate: Gate, chosen: Chosen, address: str) -> None:
    """Make the account one that logs in. Raises Unprocessable, TooManyRequests."""
    await count_address(gate, "enrolment", address)
    async with gate.database.transaction() as session:
        account = await _invited(session, chosen.invitation)
        words = [account.name, gate.vault.decrypt(account.full_name_enc, FULL_NAME).decode()]
    faults = password_faults(chosen.password, words)
    if faults:
        raise Unprocessable(errors=faults)
    secret_hash = await gate.passwords.hash(chosen.password)
    async with gate.database.transaction() as session:
        account = await _invited(session, chosen.invitation)
        step = step_of(gate.vault, account.totp_enc, chosen.code, now=time.time()) if account.totp_enc else None
        if step is None:
            raise Unprocessable("code_wrong", errors=[FieldError("/code", "code_wrong")])
        account.password_hash, account.totp_step, account.state = secret_hash, step, "active"
        account.invitation_hash = account.invited_until = None
        await note(session, account.id, "enrolled", account.id)


async def _invited(session: AsyncSession, invitation: str) -> OfficerAccount:
    """The account of a living invitation, locked: of two who bring it, one completes."""
    account = await session.scalar(
        select(OfficerAccount)
        .where(
            OfficerAccount.invitation_hash == invitation_hash(invitation),
            OfficerAccount.invited_until > func.now(),
            OfficerAccount.state == "invited",
        )
        .with_for_update()
    )
    if account is None:
        raise Unprocessable("invitation_invalid", errors=[FieldError("/invitation", "invitation_invalid")])
    return account

"""How often officers may try to log in, by account and by address; an address is often a whole office's."""

from datetime import timedelta
from typing import Literal

from sqlalchemy import exists, func, select

from app.errors import TooManyRequests
from app.login.gate import Gate
from app.login.officers.models import OfficerAccount, OfficerSession

PERIOD_S = 900
PER_ADDRESS = 100
PER_ACCOUNT_AND_ADDRESS = 10
# From all addresses together. Past it only those are heard that the account has lately logged in from, so that
# nobody is kept out by strangers who try.
PER_ACCOUNT = 50
KNOWN_FOR = timedelta(days=30)


async def count_passwords(gate: Gate, name: str, address: str) -> None:
    """Count one try before anything is looked up. Raises TooManyRequests."""
    await count_address(gate, "login", address)
    account = gate.vault.index("officer", name).hex()
    await gate.limiter.hit(
        "officer.password.here", f"{account}:{address}", limit=PER_ACCOUNT_AND_ADDRESS, period_s=PERIOD_S
    )
    try:
        await gate.limiter.hit("officer.password", account, limit=PER_ACCOUNT, period_s=PERIOD_S)
    except TooManyRequests:
        if not await _is_known(gate, name, address):
            raise


async def count_address(gate: Gate, step: Literal["login", "codes", "enrolment"], address: str) -> None:
    await gate.limiter.hit(f"officer.{step}.address", address, limit=PER_ADDRESS, period_s=PERIOD_S)


async def _is_known(gate: Gate, name: str, address: str) -> bool:
    """Whether this officer logged in from there lately."""
    found = select(
        exists().where(
            OfficerSession.officer_id == OfficerAccount.id,
            OfficerAccount.name == name,
            OfficerSession.address_index == gate.vault.index("address", address),
            OfficerSession.created_at > func.now() - KNOWN_FOR,
        )
    )
    async with gate.database.transaction() as session:
        return bool(await session.scalar(found))

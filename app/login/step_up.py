"""Proving oneself once more on a device that is logged in, by a code or a passkey."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import select

from app.errors import LoketError, NotFound, Unauthenticated
from app.login.arrivals import note_phone_proven
from app.login.codes import Ask, Met, make_code
from app.login.contacts import send_code
from app.login.gate import Gate
from app.login.guards import Caller
from app.login.models import Challenge
from app.login.passkey_schemas import RequestOptions
from app.login.passkeys import passkeys_of, request_options
from app.login.proofs import Brought, try_proof
from app.login.sessions import Proof, Proven, prove_session
from app.login.trail import Step, keep


class Offered(msgspec.Struct, frozen=True):
    """A challenge for the caller; `options` where it is for a passkey."""

    challenge_id: UUID
    expires_at: datetime
    options: RequestOptions | None


async def offer_step_up(gate: Gate, caller: Caller, method: Proof) -> Offered:
    """A code to the caller's phone, or options for one of their passkeys. Raises NotFound where they have neither."""
    if method == "otp":
        async with gate.database.transaction() as session:
            ask = Ask("step_up", genuine=True, citizen_id=caller.id)
            made = make_code(session, gate.vault, ask)
            await session.flush()
            if not await send_code(session, gate, caller.id, made, "login.code_for_step_up"):
                raise NotFound("phone_missing")
        return Offered(made.challenge_id, made.expires_at, None)
    mine = await passkeys_of(gate, caller.id)
    if not mine:
        raise NotFound("passkey_missing")
    async with gate.database.transaction() as session:
        made = make_code(session, gate.vault, Ask("step_up", genuine=False, citizen_id=caller.id))
    return Offered(made.challenge_id, made.expires_at, request_options(gate, made.challenge_id, mine))


async def step_up(gate: Gate, caller: Caller, brought: Brought) -> Proven:
    """Raises NotFound, Unprocessable, Unauthenticated."""
    async with gate.database.transaction() as session:
        # Another's challenge is not there: trying it would spend their tries.
        mine = (Challenge.id == brought.challenge_id) & (Challenge.citizen_id == caller.id)
        if not await session.scalar(select(Challenge.id).where(mine)):
            raise NotFound
        outcome = await try_proof(session, gate, "step_up", brought)
        if isinstance(outcome, Met) and outcome.citizen_id == caller.id:
            proven = await prove_session(session, caller.session_id, brought.method)
            if proven is None:
                raise Unauthenticated("session_revoked")
            if brought.method == "otp":
                await note_phone_proven(session, caller.id)
            step = Step("raised", caller.id, object_id=str(caller.session_id), fields=(brought.method,))
            await keep(session, step)
            return proven
    raise outcome if isinstance(outcome, LoketError) else NotFound()

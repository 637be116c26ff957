"""Logging in: password, then code or passkey. A wrong password and an unknown NIK look and last like the right one."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import and_, bindparam, select

from app.errors import NotFound
from app.login.arrivals import Arrival, let_in
from app.login.codes import LOCK_TRIES, Ask, Met, make_code, refusal_error
from app.login.courier import Note
from app.login.gate import Gate
from app.login.limits import may_warn
from app.login.models import CONTACT, Citizen, CodeTries, Contact, Credential
from app.login.proofs import Brought, try_proof
from app.login.sessions import Opened
from app.login.trail import Event, Step, keep
from app.privacy import Vault
from app.texts import Language

_ACCOUNT = (
    select(Citizen.id, Citizen.language, Credential.secret, Contact.value_enc, CodeTries.tries)
    .outerjoin(Credential, and_(Credential.citizen_id == Citizen.id, Credential.kind == "password"))
    .outerjoin(
        Contact, and_(Contact.citizen_id == Citizen.id, Contact.kind == "phone", Contact.confirmed_at.is_not(None))
    )
    .outerjoin(CodeTries, and_(CodeTries.account == bindparam("tried"), CodeTries.purpose == "login"))
)


class Attempt(msgspec.Struct, frozen=True):
    """Who wants in, with which password, from which device. `device_id`: one this account has been used on before."""

    nik: str
    password: str
    device_name: str
    device_id: bytes | None = None


class Asked(msgspec.Struct, frozen=True):
    """A challenge, which may be one that nothing can meet."""

    challenge_id: UUID
    expires_at: datetime


async def ask_code(gate: Gate, attempt: Attempt, language: Language) -> Asked:
    """Check the password and ask for the code. Only if it was right does a code go out, and only then is one right.

    Where too many codes were tried from devices that this account does not know, its phone is told so instead, once a
    day, and a device that it knows still gets its code.
    """
    gate.passwords.refuse_if_full()
    nik_index = gate.vault.index("nik", attempt.nik)
    tried = tried_under(gate.vault, nik_index, attempt.device_id)
    may_tell = await may_warn(gate.limiter, nik_index.hex(), "locks")
    async with gate.database.transaction() as session:
        found = _ACCOUNT.where(Citizen.nik_index == nik_index)
        account = (await session.execute(found, {"tried": tried})).one_or_none()
    right = await gate.passwords.verify(account.secret if account else None, attempt.password)
    reached = account if account and right and account.value_enc else None
    locked = reached is not None and (reached.tries or 0) >= LOCK_TRIES
    genuine = reached is not None and not locked
    async with gate.database.transaction() as session:
        ask = Ask(
            "login",
            genuine=genuine,
            # A passkey answers a locked account too: it cannot be guessed.
            citizen_id=reached.id if reached else None,
            device_name=attempt.device_name,
            account=tried if genuine else gate.vault.index("decoy", attempt.nik),
            known_device=attempt.device_id is not None,
        )
        made = make_code(session, gate.vault, ask)
        await session.flush()
        told = reached is not None and (genuine or may_tell)
        note = Note(
            phone=gate.vault.decrypt(reached.value_enc, CONTACT).decode() if reached and told else None,
            key="login.locked" if locked else "login.code_for_login",
            params={} if locked else {"code": made.code},
            language=("en" if reached.language == "en" else "id") if reached else language,
            expires_at=made.expires_at,
        )
        await gate.courier.send(session, note)
        event: Event = "code_asked" if right else "password_refused"
        await keep(session, Step(event, account.id if account else None, "challenge", str(made.challenge_id)))
    return Asked(made.challenge_id, made.expires_at)


def tried_under(vault: Vault, nik_index: bytes, device_id: bytes | None) -> bytes:
    """Where codes tried for an account are counted: together, but for those of a device that it knows."""
    return vault.index("tries", f"{nik_index.hex()}:{device_id.hex()}") if device_id else nik_index


async def answer_code(gate: Gate, challenge_id: UUID, code: str) -> Opened:
    """Open a session where the code is right. Raises NotFound, Unprocessable."""
    return await answer(gate, Brought(challenge_id, code))


async def answer(gate: Gate, proof: Brought, network: str = "") -> Opened:
    """Open a session where the code or the passkey is right. Raises NotFound, Unprocessable."""
    async with gate.database.transaction() as session:
        outcome = await try_proof(session, gate, "login", proof)
        if isinstance(outcome, Met) and outcome.citizen_id:
            known = outcome.known_device
            arrival = Arrival(outcome.citizen_id, proof.method, outcome.device_name, network, known_device=known)
            return await let_in(session, gate, arrival)
        if not isinstance(outcome, NotFound):
            await keep(session, Step("code_refused", None, "challenge", str(proof.challenge_id)))
    raise refusal_error("wrong") if isinstance(outcome, Met) else outcome

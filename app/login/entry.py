"""Logging in: password, then code or passkey. A wrong password and an unknown NIK look and last like the right one."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.errors import NotFound
from app.login.arrivals import Arrival, let_in
from app.login.codes import LOCK_TRIES, Ask, Met, make_code_on, refusal_error
from app.login.courier import Note
from app.login.gate import Gate
from app.login.limits import may_warn
from app.login.models import CONTACT
from app.login.proofs import Brought, try_proof
from app.login.sessions import Opened
from app.login.trail import Event, Step, keep, keep_on
from app.privacy import Vault
from app.texts import Language

# A storm of logins is not to be felt by others: read by the shortest way.
_ACCOUNT = """
SELECT citizens.id, language, secret, value_enc AS phone_enc, coalesce(tries, 0) AS tries
FROM citizens
LEFT JOIN credentials ON credentials.citizen_id = citizens.id AND credentials.kind = 'password'
LEFT JOIN contacts
    ON contacts.citizen_id = citizens.id AND contacts.kind = 'phone' AND contacts.confirmed_at IS NOT NULL
LEFT JOIN code_tries ON account = $2 AND code_tries.purpose = 'login'
WHERE nik_index = $1
"""


class _Account(msgspec.Struct, frozen=True):
    """What a login needs of an account. `tries`: codes tried since the last right one, from where this login comes."""

    id: UUID
    language: Language
    secret: str | None
    phone_enc: bytes | None
    tries: int


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
    account = next((_Account(**row) for row in await gate.database.fetch(_ACCOUNT, nik_index, tried)), None)
    right = await gate.passwords.verify(account.secret if account else None, attempt.password)
    reached = account if account and right and account.phone_enc else None
    locked = reached is not None and reached.tries >= LOCK_TRIES
    genuine = reached is not None and not locked
    async with gate.database.begin() as connection:
        ask = Ask(
            "login",
            genuine=genuine,
            # A passkey answers a locked account too: it cannot be guessed.
            citizen_id=reached.id if reached else None,
            device_name=attempt.device_name,
            account=tried if genuine else gate.vault.index("decoy", attempt.nik),
            known_device=attempt.device_id is not None,
        )
        made = await make_code_on(connection, gate.vault, ask)
        told = reached is not None and (genuine or may_tell)
        note = Note(
            phone=_phone(gate, reached) if told else None,
            key="login.locked" if locked else "login.code_for_login",
            params={} if locked else {"code": made.code},
            language=reached.language if reached else language,
            expires_at=made.expires_at,
        )
        await gate.courier.send_on(connection, note)
        event: Event = "code_asked" if right else "password_refused"
        await keep_on(connection, Step(event, account.id if account else None, "challenge", str(made.challenge_id)))
    return Asked(made.challenge_id, made.expires_at)


def _phone(gate: Gate, account: _Account | None) -> str | None:
    return gate.vault.decrypt(account.phone_enc, CONTACT).decode() if account and account.phone_enc else None


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

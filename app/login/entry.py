"""Logging in: the password, then a code. A wrong password and an unknown NIK look and last like the right one."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import and_, select

from app.login.codes import Ask, Met, make_code, refusal_error, try_code
from app.login.courier import Note
from app.login.gate import Gate
from app.login.models import CONTACT, Citizen, Contact, Credential
from app.login.sessions import Opened, open_session
from app.texts import Language

_ACCOUNT = (
    select(Citizen.id, Citizen.language, Credential.secret, Contact.value_enc)
    .outerjoin(Credential, and_(Credential.citizen_id == Citizen.id, Credential.kind == "password"))
    .outerjoin(
        Contact, and_(Contact.citizen_id == Citizen.id, Contact.kind == "phone", Contact.confirmed_at.is_not(None))
    )
)


class Attempt(msgspec.Struct, frozen=True):
    """Who wants in, with which password, from which device."""

    nik: str
    password: str
    device_name: str


class Asked(msgspec.Struct, frozen=True):
    """A challenge, which may be one that nothing can meet."""

    challenge_id: UUID
    expires_at: datetime


async def ask_code(gate: Gate, attempt: Attempt, language: Language) -> Asked:
    """Check the password and ask for the code. Only if it was right does a code go out, and only then is one right."""
    async with gate.database.transaction() as session:
        found = _ACCOUNT.where(Citizen.nik_index == gate.vault.index("nik", attempt.nik))
        account = (await session.execute(found)).one_or_none()
    right = await gate.passwords.verify(account.secret if account else None, attempt.password)
    phone = None
    if account and right and account.value_enc:
        phone = gate.vault.decrypt(account.value_enc, CONTACT).decode()
        language = "en" if account.language == "en" else "id"
    async with gate.database.transaction() as session:
        made = make_code(
            session,
            gate.vault,
            Ask(
                "login",
                genuine=phone is not None,
                citizen_id=account.id if account and phone else None,
                device_name=attempt.device_name,
            ),
        )
        await session.flush()
        note = Note(
            phone=phone,
            key="login.code_for_login",
            params={"code": made.code},
            language=language,
            expires_at=made.expires_at,
        )
        await gate.courier.send(session, note)
    return Asked(made.challenge_id, made.expires_at)


async def answer_code(gate: Gate, challenge_id: UUID, code: str) -> Opened:
    """Open a session where the code is right. Raises NotFound, Unprocessable."""
    async with gate.database.transaction() as session:
        outcome = await try_code(session, gate.vault, "login", challenge_id, code)
        if isinstance(outcome, Met) and outcome.citizen_id:
            level = await session.scalar(select(Citizen.assurance_level).where(Citizen.id == outcome.citizen_id))
            return await open_session(session, outcome.citizen_id, level or 1, outcome.device_name)
    raise refusal_error("wrong" if isinstance(outcome, Met) else outcome)

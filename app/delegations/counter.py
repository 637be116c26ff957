"""Delegations that officers confirm, who have seen the papers: for a child, and for whoever stands at a counter without
a phone. Who the subject is, the population register says; without an account they get one that nobody can log in to."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from app.asking import SERVICE, asking
from app.audit.actions import AuditEntry, record_on
from app.database import Connection
from app.delegations.actions import ASKED_DAYS
from app.delegations.models import PERSON
from app.errors import Conflict, NotFound, Unavailable
from app.ids import uuid7
from app.inbox.actions import Notice, notify_on
from app.login.accounts import PROVEN_LEVEL, NewCitizen, add_citizen
from app.login.gate import Gate
from app.login.guards import Officer
from app.login.identity import today_in_indonesia
from app.login.port import Claim
from app.login.proof import NOW, NotLearned

# A child is one until this birthday.
OF_AGE_YEARS = 17
_ASK = f"""
INSERT INTO delegations (id, relation, delegate_id, officer_id, agency, subject_index, person_enc, services, days,
    asked_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + interval '{ASKED_DAYS} days')
"""  # noqa: S608 - constants of ours
_WAITING = """
relation IN ('child', 'counter') AND state = 'asked' AND asked_until > now() AND ($1 = '' OR agency = $1)
"""
_LISTED = f"""
SELECT id, relation, services, days, agency, created_at, officer_id FROM delegations
WHERE {_WAITING} AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""  # noqa: S608 - constants of ours
# Four eyes: never whoever asked.
_HELD = f"""
SELECT id, relation, delegate_id, officer_id, subject_index, person_enc FROM delegations
WHERE {_WAITING} AND id = $2 AND officer_id IS DISTINCT FROM $3
"""  # noqa: S608 - constants of ours
_CONFIRM = """
UPDATE delegations SET state = 'active', subject_id = $2, granted_at = now(), granted_by = 'officer', person_enc = NULL,
    expires_at = least(now() + make_interval(days => days), $3::date::timestamptz)
WHERE id = $1 AND state = 'asked' RETURNING 1
"""
_FOREVER = date(9999, 1, 1)


class Person(msgspec.Struct, frozen=True):
    """Who is to be acted for, as their papers say."""

    nik: str
    name: str
    birth_date: date


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to act for them: a citizen for a child, or an officer; at which agency's counter it is confirmed."""

    person: Person
    relation: str
    services: Sequence[str]
    days: int
    agency: str
    delegate_id: UUID | None = None
    officer_id: UUID | None = None


async def seek(connection: Connection, gate: Gate, sought: Sought) -> UUID:
    """Keep the question, with the person sealed. Nobody is looked up."""
    new, vault, person = uuid7(), gate.vault, sought.person
    sealed = vault.encrypt(msgspec.json.encode(person), PERSON)
    who = (sought.relation, sought.delegate_id, sought.officer_id, sought.agency)
    given = (*who, vault.index("nik", person.nik), sealed, list(sought.services), sought.days)
    await connection.execute(_ASK, new, *given)
    return new


async def waiting(connection: Connection, agency: str, after: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
    """What waits for an officer of the agency; "" for all. Nobody is named."""
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(_LISTED, agency, after, limit)
    return rows


async def confirm(gate: Gate, officer: Officer, delegation_id: UUID) -> None:
    """The word of an officer who has seen the papers, and did not ask.

    Raises NotFound, Conflict where the register says otherwise, Unavailable where it says nothing.
    """
    # The subject may be nobody's case yet: looked for and written for the product, the agency part of the statement.
    with asking(SERVICE):
        await _confirm(gate, officer, delegation_id)


async def _confirm(gate: Gate, officer: Officer, delegation_id: UUID) -> None:
    async with gate.database.connection() as connection:
        held = await connection.fetchrow(_HELD, officer.agency, delegation_id, officer.id)
    if held is None:
        raise NotFound("delegation_not_found")
    person = msgspec.json.decode(gate.vault.decrypt(held["person_enc"], PERSON), type=Person)
    until = _grown_up(person.birth_date) if held["relation"] == "child" else _FOREVER
    if until <= today_in_indonesia():
        raise Conflict("person_not_a_child")
    await _prove(gate, officer, delegation_id, person)
    async with gate.database.transaction() as session:
        new = NewCitizen(uuid7(), person.nik, person.name, person.birth_date, "id", PROVEN_LEVEL)
        await add_citizen(session, gate.vault, new)
    async with gate.database.begin() as connection:
        subject_id = await connection.fetchval("SELECT id FROM citizens WHERE nik_index = $1", held["subject_index"])
        if not await connection.fetchval(_CONFIRM, delegation_id, subject_id, until):
            raise NotFound("delegation_not_found")
        await record_on(connection, _entry(officer, delegation_id, subject_id, "delegation.confirmed"))
        await notify_on(connection, Notice(subject_id, "inbox.delegation_granted.subject", {}))
        if held["delegate_id"] is not None:
            await notify_on(connection, Notice(held["delegate_id"], "inbox.delegation_granted.delegate", {}))


async def _prove(gate: Gate, officer: Officer, delegation_id: UUID, person: Person) -> None:
    claim = Claim(person.nik, person.name, person.birth_date)
    try:
        standing = await gate.proof.compare(claim, _entry(officer, delegation_id, None, "identity.compare"), NOW)
    except NotLearned as unknown:
        raise Unavailable("register_not_asked", retry_after_s=max(1, int(unknown.retry_after_s))) from None
    if standing != "matched":
        raise Conflict("person_not_matched")


def _grown_up(born: date) -> date:
    """The 17th birthday; of who was born on the 29th of February, the first of March."""
    try:
        return born.replace(year=born.year + OF_AGE_YEARS)
    except ValueError:
        return date(born.year + OF_AGE_YEARS, 3, 1)


def _entry(officer: Officer, delegation_id: UUID, subject_id: UUID | None, action: str) -> AuditEntry:
    return AuditEntry(
        actor_kind="officer",
        actor_id=str(officer.id),
        action=action,
        subject_id=subject_id,
        object_kind="delegation",
        object_id=str(delegation_id),
        purpose="delegation",
        legal_basis="uu-25-2009",
        fields=("nik", "name", "birth_date"),
    )

"""Correction: what the population register knows is asked there again, a phone proves itself by a code; then it is
shown who else has the old data, and since when, until they have corrected it too."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.audit.actions import AuditEntry
from app.database import Connection, utc_now
from app.errors import FieldError, NotFound, Unauthenticated, Unprocessable
from app.jobs import RetryLater, enqueue_on
from app.login.gate import Gate
from app.login.identity import checked_person, checked_phone, today_in_indonesia
from app.login.identity_checks import QUEUE as IDENTITY
from app.login.identity_checks import CheckIdentity
from app.login.models import BIRTH_DATE, CONTACT, NAME, NIK
from app.login.port import Claim, Standing
from app.login.proof import LATER, NotLearned
from app.privacy import Vault
from app.rights.models import WANTED
from app.rights.requests import BASIS, COLUMNS, PURPOSE, QUEUE, end, held_request, keep, tell

Field = Literal["name", "birth_date", "phone"]
REGISTER = "dukcapil"
PHONE_LOOK_S = 30.0
_PERSON = """
SELECT nik_enc, name_enc, birth_date_enc, (SELECT value_enc FROM contacts WHERE citizen_id = citizens.id
    AND kind = 'phone' AND confirmed_at IS NOT NULL LIMIT 1) AS phone_enc
FROM citizens WHERE id = $1 AND deleted_at IS NULL
"""
# A number that nobody has: what is checked is the NIK, the name and the birth date.
_ANY_PHONE = "+6281200000000"
_SET: Mapping[str, str] = {
    "name": "UPDATE citizens SET name_enc = $2 WHERE id = $1",
    "birth_date": "UPDATE citizens SET birth_date_enc = $2 WHERE id = $1",
}
_CONTEXT: Mapping[str, str] = {"name": NAME, "birth_date": BIRTH_DATE}
_PHONE_STANDS = """
SELECT
    EXISTS (SELECT 1 FROM contacts WHERE citizen_id = $1 AND value_index = $2 AND confirmed_at IS NOT NULL) AS is_set,
    EXISTS (SELECT 1 FROM phone_changes WHERE citizen_id = $1 AND (due_at IS NOT NULL OR expires_at > now())) AS is_open
"""
_WAIT = f"""
UPDATE data_requests SET state = 'waiting', places = $2::jsonb WHERE id = $1 AND ended_at IS NULL RETURNING {COLUMNS}
"""  # noqa: S608 - constants of ours
# Whom the register did not know by the old data it is asked about once more, as at registration.
_ASK_AGAIN = """
UPDATE identity_checks SET standing = 'pending', tries = 0 WHERE citizen_id = $1 AND standing <> 'matched' RETURNING 1
"""
# Agencies that were told the old data with a case that has not ended there.
_TOLD = """
SELECT DISTINCT agency, backend FROM cases
WHERE citizen_id = $1 AND agency_reference IS NOT NULL
    AND status NOT IN ('rejected', 'completed', 'withdrawn', 'expired') ORDER BY agency, backend
"""


class Elsewhere(msgspec.Struct, frozen=True):
    """Who has the old data, or has yet to say whether the new is right. `state`: pending, corrected or refused."""

    agency: str
    system: str
    state: Literal["pending", "corrected", "refused"]
    since: datetime


class Known(msgspec.Struct, frozen=True):
    """The person as they stand here now. `phone` "" where there is none."""

    nik: str
    name: str
    birth_date: date
    phone: str


async def known_person(connection: Connection, vault: Vault, citizen_id: UUID) -> Known:
    """Raises Unauthenticated where the account is gone."""
    row = await connection.fetchrow(_PERSON, citizen_id)
    if row is None:
        raise Unauthenticated("token_invalid")
    return Known(
        vault.decrypt(row["nik_enc"], NIK).decode(),
        vault.decrypt(row["name_enc"], NAME).decode(),
        date.fromisoformat(vault.decrypt(row["birth_date_enc"], BIRTH_DATE).decode()),
        vault.decrypt(row["phone_enc"], CONTACT).decode() if row["phone_enc"] else "",
    )


def checked(field: Field, value: str, known: Known) -> str:
    """The value as it is stored. Raises Unprocessable for what cannot be."""
    if field == "phone":
        return _new_phone(value, known)
    try:
        born = date.fromisoformat(value) if field == "birth_date" else known.birth_date
    except ValueError:
        raise Unprocessable(errors=[FieldError("/value", "date_invalid")]) from None
    name = value if field == "name" else known.name
    try:
        person = checked_person(known.nik, name, born, _ANY_PHONE, today=today_in_indonesia())
    except Unprocessable as refusal:
        raise Unprocessable(errors=[FieldError("/value", refusal.errors[0].code)]) from None
    if (person.name, person.birth_date) == (known.name, known.birth_date):
        raise Unprocessable(errors=[FieldError("/value", "correction_same")])
    return person.name if field == "name" else person.birth_date.isoformat()


async def correct(gate: Gate, request_id: UUID) -> None:
    """One try. Raises RetryLater while the register, or the phone, has yet to say."""
    async with gate.database.begin() as connection:
        row = await held_request(connection, request_id)
        if row["ended_at"] is not None or row["wanted_enc"] is None or (row["places"] and _is_told(row)):
            return
        known = await known_person(connection, gate.vault, row["citizen_id"])
    wanted = gate.vault.decrypt(row["wanted_enc"], WANTED).decode()
    if row["field"] == "phone":
        await _look_at_phone(gate, row, wanted)
        return
    standing = await _asked_register(gate, row, known, wanted)
    async with gate.database.begin() as connection:
        row = await held_request(connection, request_id)
        if row["ended_at"] is None:
            await _settle(connection, gate, row, wanted, standing)
    await gate.profiles.changed(row["citizen_id"])


async def note_corrected(
    connection: Connection, row: Mapping[str, Any], system: str, state: Literal["corrected", "refused"]
) -> Mapping[str, Any]:
    """What an officer found out of one system. The request is done once nobody is pending. Raises NotFound."""
    places = msgspec.convert(row["places"], list[Elsewhere])
    if not any(each.system == system and each.state == "pending" for each in places):
        raise NotFound("data_place_not_found")
    changed = [
        msgspec.structs.replace(each, state=state, since=utc_now())
        if each.system == system and each.state == "pending"
        else each
        for each in places
    ]
    if any(each.state == "pending" for each in changed):
        return await wait_for(connection, row, changed)
    ended = await end(connection, row, "done", places=changed)
    await tell(connection, row, "done")
    return ended


async def wait_for(connection: Connection, row: Mapping[str, Any], places: Sequence[Elsewhere]) -> Mapping[str, Any]:
    """Show who is waited for."""
    shown: Mapping[str, Any] | None = await connection.fetchrow(_WAIT, row["id"], msgspec.json.encode(places).decode())
    return shown or row


def _new_phone(value: str, known: Known) -> str:
    try:
        phone = checked_phone(value)
    except Unprocessable:
        raise Unprocessable(errors=[FieldError("/value", "phone_invalid")]) from None
    if phone == known.phone:
        raise Unprocessable(errors=[FieldError("/value", "phone_same")])
    return phone


def _is_told(row: Mapping[str, Any]) -> bool:
    """Whether it is done here, and agencies alone are waited for."""
    return all(each["system"] != REGISTER for each in row["places"])


async def _asked_register(gate: Gate, row: Mapping[str, Any], known: Known, wanted: str) -> Standing:
    """What the register says of the corrected person. Raises RetryLater, the request then shows that it waits."""
    name = wanted if row["field"] == "name" else known.name
    born = date.fromisoformat(wanted) if row["field"] == "birth_date" else known.birth_date
    entry = AuditEntry(
        actor_kind="job",
        actor_id=QUEUE,
        action="identity.compare",
        subject_id=row["citizen_id"],
        object_kind="citizen",
        object_id=str(row["citizen_id"]),
        purpose=PURPOSE,
        legal_basis=BASIS,
        fields=("nik", "name", "birth_date"),
    )
    try:
        return await gate.proof.compare(Claim(known.nik, name, born), entry, LATER)
    except NotLearned as failure:
        if not row["places"]:
            async with gate.database.begin() as connection:
                await wait_for(connection, row, [Elsewhere(REGISTER, REGISTER, "pending", utc_now())])
        raise RetryLater(failure.retry_after_s, str(failure)) from None


async def _settle(connection: Connection, gate: Gate, row: Mapping[str, Any], wanted: str, standing: Standing) -> None:
    """What the register does not know is not written here by wish."""
    if standing != "matched":
        await end(connection, row, "refused", code=f"register_{standing}", places=[])
        await keep(connection, row, "data.correction_refused", fields=(row["field"],))
        await tell(connection, row, "refused")
        return
    sealed = gate.vault.encrypt(wanted.encode(), _CONTEXT[row["field"]])
    await connection.execute(_SET[row["field"]], row["citizen_id"], sealed)
    if await connection.fetchval(_ASK_AGAIN, row["citizen_id"]):
        await enqueue_on(connection, IDENTITY, CheckIdentity(row["citizen_id"]), dedupe=str(row["citizen_id"]))
    await _spread(connection, row)


async def _look_at_phone(gate: Gate, row: Mapping[str, Any], wanted: str) -> None:
    async with gate.database.begin() as connection:
        row = await held_request(connection, row["id"])
        index = gate.vault.index("phone", wanted)
        standing = await connection.fetchrow(_PHONE_STANDS, row["citizen_id"], index)
        if standing is not None and standing["is_set"]:
            await _spread(connection, row)
            return
        if standing is None or not standing["is_open"]:
            await end(connection, row, "cancelled", code="phone_not_confirmed", places=[])
            await tell(connection, row, "cancelled")
            return
    raise RetryLater(PHONE_LOOK_S, "the new phone is not confirmed yet")


async def _spread(connection: Connection, row: Mapping[str, Any]) -> None:
    """It stands here, and in everything that is sent from now on; who has the old data is named."""
    await keep(connection, row, "data.corrected", fields=(row["field"],))
    told = await connection.fetch(_TOLD, row["citizen_id"])
    places = [Elsewhere(each["agency"], each["backend"], "pending", utc_now()) for each in told]
    if places:
        await wait_for(connection, row, places)
        await tell(connection, row, "spreading")
        return
    await end(connection, row, "done", places=[])
    await tell(connection, row, "done")

"""Asking for one's rights and following what was asked; every step on record and in the inbox."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.database import Connection
from app.errors import Conflict, Forbidden, NotFound
from app.ids import uuid7
from app.inbox.actions import Notice, notify_on
from app.jobs import enqueue_on
from app.login.guards import Caller
from app.login.sessions import RAISED_S
from app.privacy import Vault
from app.rights.models import WANTED, Kind, State

QUEUE = "rights"
PURPOSE, BASIS = "data-rights", "uu-27-2022"
# Law 27/2022 gives 3 x 24 hours, days of rest included.
CLOCK = timedelta(hours=72)
COLUMNS = (
    "id, citizen_id, kind, state, field, wanted_enc, code, reason_enc, places, asked_at, run_at, due_at, ended_at, "
    "refusal_proposed_by, scrubbed_at"
)
_INSERT = f"""
INSERT INTO data_requests (id, citizen_id, kind, field, wanted_enc, run_at, due_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval, now() + $7::interval) ON CONFLICT DO NOTHING RETURNING {COLUMNS}
"""  # noqa: S608 - constants of ours
_OWN = f"SELECT {COLUMNS} FROM data_requests WHERE id = $1 AND citizen_id = $2"  # noqa: S608 - constants of ours
_LIST = f"""
SELECT {COLUMNS} FROM data_requests WHERE citizen_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""  # noqa: S608 - constants of ours
_HELD = f"SELECT {COLUMNS} FROM data_requests WHERE id = $1 FOR UPDATE"  # noqa: S608 - constants of ours
_END = f"""
UPDATE data_requests SET state = $2, code = $3, places = $4::jsonb, ended_at = now() WHERE id = $1 RETURNING {COLUMNS}
"""  # noqa: S608 - constants of ours
_PROVEN = """
SELECT EXISTS (SELECT 1 FROM sessions WHERE id = $1 AND proved_at > now() - make_interval(secs => $2))
"""


class DataJob(msgspec.Struct, frozen=True):
    """The job: no personal data, only which request."""

    request_id: UUID


class Wish(msgspec.Struct, frozen=True):
    """What is asked for. `field` and `wanted` are a correction's; `wait` is how long it may still be taken back."""

    kind: Kind
    field: str = ""
    wanted: str = ""
    wait: timedelta = timedelta()


async def ask(connection: Connection, caller: Caller, wish: Wish, vault: Vault) -> Mapping[str, Any]:
    """Take a request in, in the caller's transaction; its row. Raises Conflict while one of its kind is open."""
    sealed = vault.encrypt(wish.wanted.encode(), WANTED) if wish.wanted else None
    row: Mapping[str, Any] | None = await connection.fetchrow(
        _INSERT, uuid7(), caller.id, wish.kind, wish.field, sealed, wish.wait, CLOCK
    )
    if row is None:
        raise Conflict("data_request_open")
    fields = (wish.field,) if wish.field else ()
    await keep(connection, row, f"data.{wish.kind}_asked", by=str(caller.id), fields=fields)
    await tell(connection, row, "received")
    await enqueue_on(
        connection, QUEUE, DataJob(row["id"]), delay_s=wish.wait.total_seconds(), dedupe=job_key(row["id"])
    )
    return row


async def require_proof(connection: Connection, caller: Caller) -> None:
    """Whoever holds an open phone for a moment must not carry everything away, or end it. Raises Forbidden."""
    if not await connection.fetchval(_PROVEN, caller.session_id, float(RAISED_S)):
        raise Forbidden("step_up_needed")


async def own_request(connection: Connection, request_id: UUID, citizen_id: UUID) -> Mapping[str, Any]:
    """Raises NotFound, for another person's too."""
    row: Mapping[str, Any] | None = await connection.fetchrow(_OWN, request_id, citizen_id)
    if row is None:
        raise NotFound("data_request_not_found")
    return row


async def own_requests(
    connection: Connection, citizen_id: UUID, before: UUID | None, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Newest first."""
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(_LIST, citizen_id, before, limit)
    return rows


async def held_request(connection: Connection, request_id: UUID) -> Mapping[str, Any]:
    """The request, its row held until the transaction ends. Raises NotFound."""
    row: Mapping[str, Any] | None = await connection.fetchrow(_HELD, request_id)
    if row is None:
        raise NotFound("data_request_not_found")
    return row


async def end(
    connection: Connection, row: Mapping[str, Any], state: State, *, code: str = "", places: Sequence[Any] | None = None
) -> Mapping[str, Any]:
    """Write how it ended. What is told and recorded of it is the caller's."""
    shown = row["places"] if places is None else places
    ended: Mapping[str, Any] | None = await connection.fetchrow(
        _END, row["id"], state, code, msgspec.json.encode(shown).decode()
    )
    if ended is None:
        raise NotFound("data_request_not_found")
    return ended


async def tell(connection: Connection, row: Mapping[str, Any], step: str, **params: str) -> None:
    """A message to the citizen: `rights.<kind>_<step>`."""
    await notify_on(connection, Notice(row["citizen_id"], f"rights.{row['kind']}_{step}", params))


async def keep(
    connection: Connection, row: Mapping[str, Any], action: str, *, by: str = "", fields: Sequence[str] = ()
) -> None:
    """A line of the audit; `by` is the citizen's id, "" where a job of ours acts."""
    entry = AuditEntry(
        actor_kind="citizen" if by else "job",
        actor_id=by or QUEUE,
        action=action,
        subject_id=row["citizen_id"],
        object_kind="data_request",
        object_id=str(row["id"]),
        purpose=PURPOSE,
        legal_basis=BASIS,
        fields=fields,
    )
    await record_on(connection, entry)


def job_key(request_id: UUID) -> str:
    """Under which its job stands once."""
    return f"rights.{request_id}"

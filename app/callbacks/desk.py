"""Officers look at what their agency's systems told about nothing of ours, and dismiss what will never be."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.callbacks.strays import SIGN_CONTEXT, About
from app.cursor import encode_cursor
from app.database import Connection
from app.deliveries.acting import Acting
from app.deliveries.schemas import Reason
from app.privacy import Vault
from app.telemetry import mask_text

StrayState = Literal["waiting", "matched", "dismissed"]
REASON_CONTEXT = "stray_callbacks.reason"
_LIST = """
SELECT stray.*, known.times, known.last_at FROM stray_callbacks AS stray
LEFT JOIN callback_receipts AS known USING (backend, digest)
WHERE state = $1 AND ($2 = '' OR agency = $2) AND ($3 = '' OR backend = $3) AND ($4::uuid IS NULL OR id > $4)
ORDER BY id LIMIT $5
"""
_DISMISS = """
UPDATE stray_callbacks SET state = 'dismissed', settled_at = now(), officer = $3, reason_enc = $4
WHERE id = ANY($1::uuid[]) AND state = 'waiting' AND ($2 = '' OR agency = $2) RETURNING id, backend
"""


class StrayCallback(msgspec.Struct):
    """One thing told. `reference` and `said` (of the matter, by the system) are masked. `times`: how often it was told.

    `waiting`: acted on as soon as a case or message of ours has that reference; `matched`: it was."""

    id: UUID
    backend: str
    agency: str
    about: About
    reference: str
    said: str
    state: StrayState
    times: int
    received_at: datetime
    last_at: datetime
    settled_at: datetime | None
    officer: str | None
    reason: str | None


class StrayPage(msgspec.Struct):
    """Longest waiting first. `next_cursor` is null on the last page."""

    items: list[StrayCallback]
    next_cursor: str | None


class Dismissal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which ones nothing will come of, and why."""

    ids: Annotated[
        list[UUID], msgspec.Meta(min_length=1, max_length=100, examples=[["0192f5d0-c0de-7000-8000-000000000000"]])
    ]
    reason: Reason


class Dismissed(msgspec.Struct):
    """Those that were waiting, of the officer's own agency."""

    dismissed: list[UUID]


class Wanted(msgspec.Struct, frozen=True):
    """Which ones: of a system where one is named. `after`: the last id of the page before."""

    limit: int
    state: str = "waiting"
    backend: str = ""
    after: UUID | None = None


async def list_strays(connection: Connection, acting: Acting, wanted: Wanted, vault: Vault) -> StrayPage:
    """One page, of the officer's agency."""
    given = (wanted.state, acting.agency, wanted.backend, wanted.after, wanted.limit + 1)
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(_LIST, *given)
    shown = [_view(row, vault) for row in rows[: wanted.limit]]
    return StrayPage(shown, encode_cursor((shown[-1].id,)) if len(rows) > wanted.limit else None)


async def dismiss(connection: Connection, acting: Acting, asked: Dismissal, vault: Vault) -> Dismissed:
    """In the caller's transaction; those that do not wait any more, or are another agency's, are left as they are."""
    sealed = vault.encrypt(asked.reason.encode(), REASON_CONTEXT)
    rows = await connection.fetch(_DISMISS, asked.ids, acting.agency, acting.name, sealed)
    for row in rows:
        await record_on(
            connection,
            AuditEntry(
                actor_kind="officer",
                actor_id=acting.id,
                action="callback.dismissed",
                subject_id=None,
                object_kind="callback",
                object_id=str(row["id"]),
                purpose=row["backend"],
                legal_basis="uu-25-2009",
            ),
        )
    return Dismissed([row["id"] for row in rows])


def _view(row: Mapping[str, Any], vault: Vault) -> StrayCallback:
    reason = row["reason_enc"]
    return StrayCallback(
        id=row["id"],
        backend=row["backend"],
        agency=row["agency"],
        about=row["about"],
        reference=mask_text(row["reference"]),
        said=vault.decrypt(row["sign_enc"], SIGN_CONTEXT).decode(),
        state=row["state"],
        times=row["times"] or 1,
        received_at=row["received_at"],
        last_at=row["last_at"] or row["received_at"],
        settled_at=row["settled_at"],
        officer=row["officer"],
        reason=vault.decrypt(reason, REASON_CONTEXT).decode() if reason else None,
    )

"""A request as its citizen sees it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.database import Connection
from app.privacy import Vault
from app.rights.models import REASON
from app.rights.schemas import CopyPart, DataRequestView, PlaceView
from app.texts import Language, has_text, text

_PARTS = """
SELECT request_id, part, size, sha256, expires_at FROM data_copies
WHERE request_id = ANY($1::uuid[]) AND expires_at > now() ORDER BY part
"""


async def with_parts(
    connection: Connection, rows: Sequence[Mapping[str, Any]], vault: Vault, language: Language
) -> list[DataRequestView]:
    """The rows, each with the parts that can be fetched."""
    parts = await connection.fetch(_PARTS, [row["id"] for row in rows])
    return [view(row, [part for part in parts if part["request_id"] == row["id"]], vault, language) for row in rows]


def view(
    row: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], vault: Vault, language: Language
) -> DataRequestView:
    path = f"/v1/me/data/requests/{row['id']}/copy"
    return DataRequestView(
        id=row["id"],
        kind=row["kind"],
        state=row["state"],
        field=row["field"],
        code=row["code"],
        detail=_detail(row, vault, language),
        asked_at=row["asked_at"],
        run_at=row["run_at"],
        due_at=row["due_at"],
        ended_at=row["ended_at"],
        places=places_of(row),
        parts=[
            CopyPart(each["part"], f"{path}/{each['part']}", each["size"], each["sha256"].hex(), each["expires_at"])
            for each in parts
        ],
    )


def places_of(row: Mapping[str, Any]) -> list[PlaceView]:
    """Of a correction; what is kept after a deletion is for nobody who could be logged in."""
    return msgspec.convert(row["places"], list[PlaceView]) if row["kind"] == "correction" else []


def _detail(row: Mapping[str, Any], vault: Vault, language: Language) -> str:
    if row["reason_enc"]:
        return vault.decrypt(row["reason_enc"], REASON).decode()
    key = f"rights.code.{row['code']}"
    return text(key, language) if row["code"] and has_text(key) else ""

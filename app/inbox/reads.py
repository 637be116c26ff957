"""A citizen's unread messages, by a plain statement: every home asks for them."""

from uuid import UUID

from app.asking import said_for
from app.database import Database
from app.inbox.actions import rendered
from app.inbox.schemas import InboxMessage
from app.privacy import Vault
from app.texts import Language

_UNREAD = f"""
SELECT id, key, params, case_id, created_at, read_at FROM messages
WHERE citizen_id = $1 AND read_at IS NULL AND {said_for("$1")} ORDER BY id DESC LIMIT $2
"""  # noqa: S608 - a constant of ours


async def unread(
    citizen_id: UUID, limit: int, database: Database, vault: Vault, language: Language
) -> list[InboxMessage]:
    """The newest first."""
    return [
        InboxMessage(
            id=row["id"],
            key=row["key"],
            text=rendered(row["key"], vault.unseal_all(row["params"]), language),
            case_id=row["case_id"],
            created_at=row["created_at"],
            read_at=row["read_at"],
        )
        for row in await database.fetch_said(_UNREAD, citizen_id, limit)
    ]

"""What the inbox's routes give."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec


class InboxMessage(msgspec.Struct):
    """One message, in the reader's language. `key` is stable: a frontend may choose an icon by it."""

    id: UUID
    key: str
    text: str
    case_id: UUID | None
    created_at: datetime
    read_at: datetime | None


class InboxPage(msgspec.Struct):
    """Newest first. `next_cursor` is null on the last page."""

    items: Sequence[InboxMessage]
    next_cursor: str | None

"""What login needs in order to reach a person's phone. The inbox implements it; login knows no channel."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Connection
from app.jobs import driver_connection
from app.texts import Language


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A short text with a code, or a warning in place of one. `key` names the text, `phone` is E.164.

    `phone` None: nobody is to be written to, yet the same work must be done, so that an answer's time tells nothing.
    """

    phone: str | None
    key: str
    params: Mapping[str, str]
    language: Language
    expires_at: datetime


class Courier(ABC):
    """Hands notes to whatever reaches phones, and messages to inboxes, in the caller's transaction."""

    @abstractmethod
    async def send_on(self, connection: Connection, note: Note) -> None:
        """In the transaction that `connection` is in."""

    async def send(self, session: AsyncSession, note: Note) -> None:
        """The same in the session's own."""
        await self.send_on(await driver_connection(session), note)

    @abstractmethod
    async def tell(self, session: AsyncSession, citizen_id: UUID, key: str, params: Mapping[str, str]) -> None:
        """A message of the inbox, which also goes to the confirmed phone."""

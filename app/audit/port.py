"""What the audit needs of a place outside the database that remembers how far the chain had come."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec


class Head(msgspec.Struct, frozen=True):
    """The chain's end at some time: its last position, and the digest there, which stands for everything before it."""

    position: int
    digest: bytes


class AnchorBroken(Exception):
    """What the place holds is not what was given to it."""


class AnchorPort(ABC):
    """One such place. It can be shared by several processes; who rules the database cannot change it unseen."""

    @abstractmethod
    async def anchor(self, head: Head) -> None:
        """Keep the head, durably, before this returns; one that is already the newest is kept once."""

    @abstractmethod
    async def newest(self) -> Head | None:
        """The last head kept, by the shortest way. Raises AnchorBroken where it cannot be read."""

    @abstractmethod
    async def anchored(self) -> Sequence[Head]:
        """Every head kept, in the order given. Raises AnchorBroken where one was changed, added or taken away."""

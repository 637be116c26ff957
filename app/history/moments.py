"""Identifiers and times of what is told to have been."""

from datetime import UTC, datetime
from random import Random
from uuid import UUID


def id_at(at: float, rng: Random) -> UUID:
    """A UUIDv7 of that moment (seconds since 1970), as app.ids would have given it then."""
    random = rng.getrandbits(74)
    return UUID(int=int(at * 1000) << 80 | 7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & ((1 << 62) - 1))


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)

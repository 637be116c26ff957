"""Identifiers: UUIDv7 (RFC 9562, 5.7), so that keys grow with time and index pages stay warm."""

import os
import time
from uuid import UUID

_newest = 0


def uuid7() -> UUID:
    """A new UUIDv7, greater than every one this process made before: lists in the order of ids are in that of events.

    48 bits of Unix milliseconds, 12 bits of a millisecond's 4,096 parts (RFC 9562, 6.2, method 3), 62 random bits.
    """
    global _newest  # noqa: PLW0603 -- the last one given is what a process has to remember
    _newest = moment = max(_newest + 1, (time.time_ns() << 12) // 1_000_000)
    random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return UUID(int=moment >> 12 << 80 | 0x7 << 76 | (moment & 0xFFF) << 64 | 0b10 << 62 | random)

"""How often one account, one phone and one address may try what. An address is often a whole village's."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from app.limits import Limiter

Step = Literal[
    "registrations", "sessions", "challenges", "refresh", "recoveries", "step_up", "passkeys", "passwords", "phones"
]


class Limit(msgspec.Struct, frozen=True):
    hits: int
    period_s: int


_LIMITS: Mapping[tuple[Step, str], Limit] = {
    ("registrations", "account"): Limit(5, 3600),
    ("registrations", "phone"): Limit(5, 3600),
    ("registrations", "address"): Limit(100, 3600),
    ("sessions", "account"): Limit(10, 900),
    ("sessions", "address"): Limit(300, 900),
    ("challenges", "account"): Limit(20, 900),
    ("challenges", "address"): Limit(600, 900),
    ("recoveries", "account"): Limit(5, 3600),
    ("recoveries", "address"): Limit(100, 3600),
    ("step_up", "account"): Limit(10, 900),
    ("passkeys", "account"): Limit(20, 3600),
    ("passwords", "account"): Limit(10, 900),
    ("phones", "account"): Limit(5, 3600),
    ("phones", "phone"): Limit(5, 3600),
    ("refresh", "account"): Limit(30, 900),
    ("refresh", "address"): Limit(3000, 900),
}


async def count(limiter: Limiter, step: Step, keys: Mapping[str, str]) -> None:
    """Count one try under each key: what is counted, and its index, id or address. Raises TooManyRequests.

    Counted before anything is looked up, so that a limit says nothing about who exists.
    """
    for what, key in keys.items():
        limit = _LIMITS[step, what]
        await limiter.hit(f"login.{step}.{what}", key, limit=limit.hits, period_s=limit.period_s)

"""How often one account, one phone, one address and one known device may try what. An address is often a village's.

A device that has been logged in with before is counted alone: no stranger's tries, and no neighbour's, keep it out.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from app.errors import TooManyRequests
from app.limits import Hit, Limiter

Step = Literal[
    "registrations",
    "sessions",
    "challenges",
    "national",
    "refresh",
    "recoveries",
    "step_up",
    "passkeys",
    "passwords",
    "phones",
]


class Limit(msgspec.Struct, frozen=True):
    hits: int
    period_s: int


# Nobody's phone is flooded with warnings by somebody who keeps trying with their NIK.
_WARNINGS = Limit(3, 86_400)
_LIMITS: Mapping[tuple[Step, str], Limit] = {
    ("registrations", "phone"): Limit(5, 3600),
    ("registrations", "address"): Limit(100, 3600),
    ("sessions", "account"): Limit(10, 900),
    ("sessions", "device"): Limit(10, 900),
    ("sessions", "address"): Limit(300, 900),
    ("challenges", "account"): Limit(20, 900),
    ("challenges", "address"): Limit(600, 900),
    ("national", "address"): Limit(300, 900),
    ("recoveries", "account"): Limit(5, 3600),
    ("recoveries", "device"): Limit(5, 3600),
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
    """Count one try under all keys or, raising TooManyRequests, under none: what is counted, and its index or address.

    Counted before anything is looked up, so that a limit says nothing about who exists.
    """
    limits = {what: _LIMITS[step, what] for what in keys}
    await limiter.count(
        *(Hit(f"login.{step}.{what}", keys[what], limit.hits, limit.period_s) for what, limit in limits.items())
    )


async def may_warn(limiter: Limiter, account: str, about: Literal["registrations", "locks"]) -> bool:
    """Whether an account's phone may be told, once more today, what others try with its NIK."""
    try:
        await limiter.count(Hit(f"login.warnings.{about}", account, _WARNINGS.hits, _WARNINGS.period_s))
    except TooManyRequests:
        return False
    return True

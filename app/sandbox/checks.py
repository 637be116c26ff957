"""What contract checks of every port need: a fault for a while, and the errors calls must end in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from app.errors import AgencyError, AgencyUnavailable
from app.sandbox.port import Check, ContractBroken, Workbench, require

P = TypeVar("P")

LONGEST_S = 40.0
# Before the backend's own work, so surely without an effect; after it, so with the effect done and the answer spoilt.
NO_EFFECT_MODES = ("error_500", "error_503", "reset", "bad_auth", "hang")
EFFECT_MODES = ("lost_answer", "malformed", "huge_body")
MODES = (*NO_EFFECT_MODES, *EFFECT_MODES)


def under_each(
    modes: Sequence[str], promise: str, run: Callable[[str, P, Workbench | None], Awaitable[None]]
) -> list[Check[P]]:
    """One check for each fault; "{}" in the promise is its name."""
    return [Check(promise.format(mode), partial(run, mode), writes=True) for mode in modes]


def given(bench: Workbench | None) -> Workbench:
    """The workbench of a check that writes."""
    if bench is None:
        raise ContractBroken("this check needs a workbench: it never runs against a real backend")
    return bench


@asynccontextmanager
async def suffering(bench: Workbench | None, mode: str) -> AsyncIterator[None]:
    """Every operation of the sandbox under a fault; healed at the end."""
    await given(bench).fault(mode)
    try:
        yield
    finally:
        await given(bench).heal()


async def failure(asking: Awaitable[object]) -> AgencyError:
    """The agency's error that a call raises. A result, another error or no end at all breaks the contract."""
    try:
        async with asyncio.timeout(LONGEST_S):
            result = await asking
    except AgencyError as error:
        return error
    except TimeoutError:
        raise ContractBroken(f"no end within {LONGEST_S:g} s") from None
    except Exception as error:
        raise ContractBroken(f"raised {error!r}, which no caller expects") from error
    raise ContractBroken(f"gave {result!r} where it had to fail")


async def unavailable(bench: Workbench | None, mode: str, reads: Mapping[str, Awaitable[object]]) -> list[AgencyError]:
    """The errors of reads under a fault, each AgencyUnavailable. All at once: each may have to be waited out."""
    async with suffering(bench, mode):
        errors = await asyncio.gather(*(failure(asking) for asking in reads.values()))
    for name, error in zip(reads, errors, strict=True):
        require(isinstance(error, AgencyUnavailable), f"{name} under {mode} gave {error!r}")
    return errors


async def told_when_to_come_again(bench: Workbench | None, asking: Awaitable[object]) -> None:
    """A 503 with Retry-After becomes AgencyUnavailable with its time."""
    async with suffering(bench, "error_503"):
        error = await failure(asking)
    told = isinstance(error, AgencyUnavailable) and error.retry_after_s is not None
    require(told, f"503 with Retry-After became {error!r}, without its time")

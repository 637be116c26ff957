"""What contract checks of every port need: a fault for a while, and the error a call must end in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from app.errors import AgencyError
from app.sandbox.port import ContractBroken, Workbench

LONGEST_S = 40.0
# Before the backend's own work, so surely without an effect; after it, so with the effect done and the answer spoilt.
NO_EFFECT_MODES = ("error_500", "error_503", "reset", "bad_auth", "hang")
EFFECT_MODES = ("lost_answer", "malformed", "huge_body")


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

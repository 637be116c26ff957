"""What every adapter of the population register promises, as checks against its sandbox.

A sandbox's register knows the demo's citizen Siti and not Rahmat; its `work` takes a NIK, and knows the steps "active",
"deceased", "double" and "inactive". No NIK that could be a living person's is ever asked of a real register here.
"""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import get_args

from msgspec.structs import replace

from app.errors import AgencyError, AgencyRejected, AgencyUnavailable
from app.login.port import Claim, LoginPort, Standing
from app.sandbox.checks import (
    MODES,
    failure,
    given,
    suffering,
    told_when_to_come_again,
    under_each,
)
from app.sandbox.port import Check, Workbench, require

SITI = Claim("3571024505909001", "Siti Aminah", date(1990, 5, 5))
RAHMAT = Claim("3571010101759004", "Rahmat", date(1975, 1, 1))
# Well-formed, and of no place and no day: what a real register may be asked of.
NOBODY = Claim("0" * 16, "Nobody", date(1900, 1, 1))
MALFORMED = ("", "1", "357102450590900x", "35710245059090010", "../../etc/passwd", "3571024505909001\u0000")


async def _malformed_nik(port: LoginPort, _bench: Workbench | None) -> None:
    for nik in MALFORMED:
        error = await failure(port.compare(replace(SITI, nik=nik)))
        told = isinstance(error, AgencyRejected) and error.code == "nik_invalid"
        require(told, f"comparing the malformed {nik!r} raised {error!r}")


async def _quota(port: LoginPort, _bench: Workbench | None) -> None:
    require(port.daily_quota > 0, f"a daily quota of {port.daily_quota}")


async def _stands(claim: Claim, expected: Standing, port: LoginPort, _bench: Workbench | None) -> None:
    found = await port.compare(claim)
    require(found == expected, f"{expected} was expected, and the register says {found!r}")


async def _status_changes(port: LoginPort, bench: Workbench | None) -> None:
    for step in ("deceased", "double", "inactive"):
        await given(bench).work(SITI.nik, step)
        for claim in (SITI, replace(SITI, name="Somebody Else")):
            found = await port.compare(claim)
            require(found == step, f"a {step} entry is told as {found!r}")
    await given(bench).work(SITI.nik, "active")
    require(await port.compare(SITI) == "matched", "an entry that is active again does not match")


async def _unavailable(mode: str, port: LoginPort, bench: Workbench | None) -> None:
    async with suffering(bench, mode):
        error = await failure(port.compare(SITI))
    require(isinstance(error, AgencyUnavailable), f"compare under {mode} raised {error!r}")
    require(_says_nothing_of(SITI, error), f"the error under {mode} names the person")
    require(await port.compare(SITI) in get_args(Standing), "no standing after the fault")


async def _refused_at_the_door(port: LoginPort, bench: Workbench | None) -> None:
    await told_when_to_come_again(bench, port.compare(SITI))


CHECKS: Sequence[Check[LoginPort]] = (
    Check("a malformed NIK is refused, not sent", _malformed_nik, writes=False),
    Check("there is a daily quota", _quota, writes=False),
    Check("nobody's NIK is unknown", partial(_stands, NOBODY, "unknown"), writes=False),
    Check("NIK, name and birth date match", partial(_stands, SITI, "matched"), writes=True),
    Check("capitals are no other name", partial(_stands, replace(SITI, name="sITI aMINAH"), "matched"), writes=True),
    Check("another name differs", partial(_stands, replace(SITI, name="Budi Santoso"), "differs"), writes=True),
    Check("a name half right differs", partial(_stands, replace(SITI, name="Siti Aisyah"), "differs"), writes=True),
    Check("another day differs", partial(_stands, replace(SITI, birth_date=date(1990, 5, 6)), "differs"), writes=True),
    Check(
        "another century differs", partial(_stands, replace(SITI, birth_date=date(1890, 5, 5)), "differs"), writes=True
    ),
    Check("who is not in the register is told so", partial(_stands, RAHMAT, "unknown"), writes=True),
    Check("deceased, double and inactive are told, whatever the name", _status_changes, writes=True),
    Check("a refusal at the door says when to come again", _refused_at_the_door, writes=True),
    *under_each(MODES, "compare under {} is unavailable", _unavailable),
)


def _says_nothing_of(claim: Claim, error: AgencyError) -> bool:
    told = f"{error} {error.detail}".casefold()
    return claim.nik not in told and claim.name.casefold() not in told

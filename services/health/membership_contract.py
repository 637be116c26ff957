"""What every adapter of the membership port promises: checks against its sandbox or, where they only read, the insurer.

A sandbox's register knows the demo's citizen Siti as a member and not Rahmat; its `work` takes a NIK, and knows the
steps "active" and "ended". No NIK that could be a living person's is ever asked of a real insurer here.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

import msgspec

from app.errors import AgencyError, AgencyRejected, AgencyUnavailable
from app.sandbox.checks import EFFECT_MODES, NO_EFFECT_MODES, failure, given, suffering
from app.sandbox.port import Check, ContractBroken, Workbench, require
from services.health.port import Membership, MembershipPort

MEMBER, NOBODY, NOBODYS = "3571024505909001", "3571010101759004", "0" * 16
MALFORMED = ("", "1", "357102450590900x", "35710245059090010", "../../etc/passwd", "3571024505909001\u0000")
_CLOCKS_APART = timedelta(seconds=5)


async def _malformed_nik(port: MembershipPort, _bench: Workbench | None) -> None:
    for nik in MALFORMED:
        error = await failure(port.membership(nik, _today()))
        told = isinstance(error, AgencyRejected) and error.code == "nik_invalid"
        require(told, f"membership of the malformed {nik!r} raised {error!r}")


async def _nobodys_nik(port: MembershipPort, _bench: Workbench | None) -> None:
    """Sixteen zeros: well-formed, and of no place and no day."""
    try:
        found = await port.membership(NOBODYS, _today())
    except AgencyRejected as error:
        require(error.code == "nik_invalid", f"nobody's NIK was refused with {error.code!r}")
        return
    require(found is None, f"nobody's NIK has the membership {found}")


async def _member(port: MembershipPort, _bench: Workbench | None) -> None:
    before = datetime.now(UTC)
    found = _well_formed(await port.membership(MEMBER, _today()))
    require(before - _CLOCKS_APART <= found.as_of, f"told now, and as of {found.as_of}")
    require(found.as_of <= datetime.now(UTC) + _CLOCKS_APART, f"as of {found.as_of}, which is to come")


async def _no_member(port: MembershipPort, _bench: Workbench | None) -> None:
    found = await port.membership(NOBODY, _today())
    require(found is None, f"nobody the register knows has the membership {found}")


async def _status_changes(port: MembershipPort, bench: Workbench | None) -> None:
    for step, active in (("ended", False), ("active", True)):
        await given(bench).work(MEMBER, step)
        found = _well_formed(await port.membership(MEMBER, _today()))
        require(found.active in (active, None), f"after {step!r} active is {found.active}")


async def _unavailable(mode: str, port: MembershipPort, bench: Workbench | None) -> None:
    async with suffering(bench, mode):
        error = await failure(port.membership(MEMBER, _today()))
    require(isinstance(error, AgencyUnavailable), f"membership under {mode} raised {error!r}")
    require(_says_nothing_of(MEMBER, error), f"the error under {mode} names the person")
    _well_formed(await port.membership(MEMBER, _today()))


async def _refused_at_the_door(port: MembershipPort, bench: Workbench | None) -> None:
    async with suffering(bench, "error_503"):
        error = await failure(port.membership(MEMBER, _today()))
    told = isinstance(error, AgencyUnavailable) and error.retry_after_s is not None
    require(told, f"503 with Retry-After became {error!r}, without its time")


CHECKS: Sequence[Check[MembershipPort]] = (
    Check("a malformed NIK is refused", _malformed_nik, writes=False),
    Check("nobody's NIK has no membership", _nobodys_nik, writes=False),
    Check("a member is told whole", _member, writes=True),
    Check("who is no member is told so", _no_member, writes=True),
    Check("a status that changes is told", _status_changes, writes=True),
    Check("a refusal at the door says when to come again", _refused_at_the_door, writes=True),
    *(
        Check(f"membership under {mode} is unavailable", partial(_unavailable, mode), writes=True)
        for mode in (*NO_EFFECT_MODES, *EFFECT_MODES)
    ),
)


def _today() -> date:
    return (datetime.now(UTC) + timedelta(hours=7)).date()


def _says_nothing_of(nik: str, error: AgencyError) -> bool:
    return nik not in str(error) and nik not in error.detail


def _well_formed(found: Membership | None) -> Membership:
    if found is None:
        raise ContractBroken("the member has no membership")
    require(found.name, f"a membership without a name: {found}")
    card = found.card_number
    require(len(card) == 13 and card.isdecimal(), f"a card number that is none: {card!r}")
    absent = {name for name, value in msgspec.structs.asdict(found).items() if value is None}
    require(absent == set(found.missing), f"None are {absent}, with reasons for {set(found.missing)}")
    require(found.as_of.tzinfo is not None, "a time without its zone")
    return found

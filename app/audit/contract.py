"""What every place of anchors promises, as checks of an empty one and of a second hand on the same place."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from app.audit.port import AnchorPort, Head
from app.sandbox.port import require

ONE, TWO = Head(1, b"\x01" * 32), Head(2, b"\x02" * 32)


class Check(NamedTuple):
    """One promise. `run` is given the place, empty, and another process's hand on the same."""

    name: str
    run: Callable[[AnchorPort, AnchorPort], Awaitable[None]]


async def _empty(place: AnchorPort, other: AnchorPort) -> None:
    require(list(await place.anchored()) == [], "an empty place holds something")
    require(await other.newest() is None, "an empty place has a newest anchor")


async def _keeps(place: AnchorPort, other: AnchorPort) -> None:
    for head in (ONE, TWO):
        await place.anchor(head)
        require(await other.newest() == head, "another process does not see what was just kept")
    require(list(await other.anchored()) == [ONE, TWO], "what was kept is not what was given, in its order")


async def _once(place: AnchorPort, other: AnchorPort) -> None:
    await place.anchor(ONE)
    await other.anchor(ONE)
    require(list(await place.anchored()) == [ONE], "the same head is kept twice")


async def _in_turn(place: AnchorPort, other: AnchorPort) -> None:
    await place.anchor(ONE)
    await other.anchor(TWO)
    require(list(await place.anchored()) == [ONE, TWO], "two processes undo each other")


CHECKS: Sequence[Check] = (
    Check("an empty place holds nothing", _empty),
    Check("what is kept is seen by others, in order", _keeps),
    Check("the same head is kept once", _once),
    Check("two processes keep in turn", _in_turn),
)

"""The state machine of a case: which status may follow which. A late or repeated message never moves one back."""

from collections.abc import Mapping

from app.cases.port import Status

ARROWS: Mapping[Status, frozenset[Status]] = {
    "draft": frozenset({"submitted", "withdrawn", "expired"}),
    "submitted": frozenset({"in_review", "needs_citizen", "approved", "rejected", "completed", "withdrawn", "expired"}),
    "in_review": frozenset({"needs_citizen", "approved", "rejected", "completed", "withdrawn", "expired"}),
    "needs_citizen": frozenset({"in_review", "approved", "rejected", "completed", "withdrawn", "expired"}),
    "approved": frozenset({"completed"}),
    "rejected": frozenset(),
    "completed": frozenset(),
    "withdrawn": frozenset(),
    "expired": frozenset(),
}
FINAL: frozenset[Status] = frozenset(status for status, following in ARROWS.items() if not following)
WITHDRAWABLE: frozenset[Status] = frozenset(status for status, following in ARROWS.items() if "withdrawn" in following)


def may_move(current: Status, following: Status) -> bool:
    """Whether the arrow exists. Staying where one is is no move."""
    return following in ARROWS[current]

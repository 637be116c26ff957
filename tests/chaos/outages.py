"""How long nobody's case was accepted after a kill: told from the last kill of anything, as one that comes before the
return begins the way back anew, and apart from that how long such kills in a row kept it away."""

import statistics
from collections.abc import Sequence

import msgspec


class Answered(msgspec.Struct, frozen=True, order=True):
    """A case that was accepted `at`, and had been asked for `asked_at`; both monotonic."""

    at: float
    asked_at: float


class Outage(msgspec.Struct, frozen=True):
    """Kills with no return between them, and the return: a case accepted that was asked for after the last of them.
    `killed`: when and what, in that order."""

    killed: Sequence[tuple[float, str]]
    back_at: float

    @property
    def last(self) -> str:
        return self.killed[-1][1]

    @property
    def after_last_s(self) -> float:
        return self.back_at - self.killed[-1][0]

    @property
    def whole_s(self) -> float:
        return self.back_at - self.killed[0][0]


class Returns(msgspec.Struct, frozen=True):
    """After `count` outages whose last kill was of this kind: how long until cases were accepted again."""

    count: int
    median_s: float
    longest_s: float


def outages(kills: Sequence[tuple[float, str]], answers: Sequence[Answered]) -> list[Outage]:
    """In order of time; a kill that no acceptance follows is in none of them."""
    answers = sorted(answers)
    found: list[Outage] = []
    for kill in sorted(kills):
        back_at = next((told.at for told in answers if told.asked_at >= kill[0]), None)
        if back_at is None:
            continue
        if found and kill[0] <= found[-1].back_at:
            found[-1] = Outage([*found[-1].killed, kill], back_at)
        else:
            found.append(Outage([kill], back_at))
    return found


def by_last_kill(found: Sequence[Outage]) -> dict[str, Returns]:
    seconds: dict[str, list[float]] = {}
    for outage in found:
        seconds.setdefault(outage.last, []).append(outage.after_last_s)
    return {what: Returns(len(each), statistics.median(each), max(each)) for what, each in seconds.items()}

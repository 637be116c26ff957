"""How long nobody's case was accepted after a kill or another blow: told from the last of them, as one that comes
before the return begins the way back anew, and apart from that how long such blows in a row kept it away."""

import statistics
from collections.abc import Sequence

import msgspec


class Answered(msgspec.Struct, frozen=True, order=True):
    """A case that was accepted `at`, and had been asked for `asked_at`; both monotonic."""

    at: float
    asked_at: float


class Outage(msgspec.Struct, frozen=True):
    """Blows with no return between them, and the return: a case accepted that was asked for after the last of them.
    `blows`: when and what, in that order."""

    blows: Sequence[tuple[float, str]]
    back_at: float

    @property
    def last(self) -> str:
        return self.blows[-1][1]

    @property
    def after_last_s(self) -> float:
        return self.back_at - self.blows[-1][0]

    @property
    def whole_s(self) -> float:
        return self.back_at - self.blows[0][0]


class Returns(msgspec.Struct, frozen=True):
    """After `count` outages whose last blow was of this kind: how long until cases were accepted again."""

    count: int
    median_s: float
    longest_s: float


def outages(blows: Sequence[tuple[float, str]], answers: Sequence[Answered]) -> list[Outage]:
    """In order of time; a blow that no acceptance follows is in none of them."""
    answers = sorted(answers)
    found: list[Outage] = []
    for blow in sorted(blows):
        back_at = next((told.at for told in answers if told.asked_at >= blow[0]), None)
        if back_at is None:
            continue
        if found and blow[0] <= found[-1].back_at:
            found[-1] = Outage([*found[-1].blows, blow], back_at)
        else:
            found.append(Outage([blow], back_at))
    return found


def by_last_blow(found: Sequence[Outage]) -> dict[str, Returns]:
    seconds: dict[str, list[float]] = {}
    for outage in found:
        seconds.setdefault(outage.last, []).append(outage.after_last_s)
    return {what: Returns(len(each), statistics.median(each), max(each)) for what, each in seconds.items()}

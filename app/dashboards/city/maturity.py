"""How mature a service is by regulation PANRB 59/2020: five levels, each reached by what was measured, or not."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from app.dashboards.city.evidence import Facts
from app.texts import Language, text

Level = Literal[1, 2, 3, 4, 5]
# The law's bar.
BAR = 3
# So many answers of citizens, at least, before a changed form counts as an answer to them.
LEAST_ANSWERS = 30


class Evidence(msgspec.Struct):
    """One fact behind a level: its key, its words, how often, and whether that is enough. `needed` 0: it is told
    beside, and no level rests on it."""

    fact: str
    text: str
    count: int
    needed: int
    holds: bool


class LevelView(msgspec.Struct):
    """One level. `reached`: all of its evidence holds, or with `any_of` one piece of it, and every level below is
    reached."""

    level: Level
    name: str
    title: str
    any_of: bool
    reached: bool
    evidence: list[Evidence]


# One way in which a service's cases go through another agency's system is enough. That its citizens let other agencies
# have their data shows no more than that they could.
_ANY_OF = (4,)
# What each level asks for: a fact, and how often at least.
_ASKED: Mapping[Level, tuple[str, Sequence[tuple[str, int]]]] = {
    1: ("information", [("published", 1)]),
    2: ("interaction", [("opened", 1)]),
    3: ("transaction", [("handed_in", 1), ("delivered", 1), ("moved", 1), ("ended", 1)]),
    4: ("collaboration", [("checked", 1), ("across", 1), ("shared", 0)]),
    5: ("optimum", [("versions", 2), ("surveyed", LEAST_ANSWERS)]),
}


def levels_of(facts: Facts, language: Language) -> list[LevelView]:
    """All five, with the evidence for each."""
    shown: list[LevelView] = []
    below = True
    for level, (name, asked) in _ASKED.items():
        evidence = [_evidence(fact, needed, facts, language) for fact, needed in asked]
        enough = any if level in _ANY_OF else all
        below = below and enough(each.holds for each in evidence if each.needed)
        title = text(f"city.level.{name}", language)
        shown.append(LevelView(level, name, title, level in _ANY_OF, below, evidence))
    return shown


def level_of(levels: Sequence[LevelView]) -> int:
    """The highest reached; 0 for none."""
    return max((each.level for each in levels if each.reached), default=0)


def _evidence(fact: str, needed: int, facts: Facts, language: Language) -> Evidence:
    count = int(getattr(facts, fact))
    return Evidence(fact, text(f"city.fact.{fact}", language), count, needed, count >= needed)

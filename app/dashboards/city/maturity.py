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
    """One fact behind a level: its key, its words, how often, and whether that is enough."""

    fact: str
    text: str
    count: int
    needed: int
    holds: bool


class LevelView(msgspec.Struct):
    """One level. `reached`: all of its evidence holds, and every level below is reached."""

    level: Level
    name: str
    title: str
    reached: bool
    evidence: list[Evidence]


# What each level asks for: a fact, and how often at least.
_ASKED: Mapping[Level, tuple[str, Sequence[tuple[str, int]]]] = {
    1: ("information", [("published", 1)]),
    2: ("interaction", [("opened", 1)]),
    3: ("transaction", [("handed_in", 1), ("delivered", 1), ("moved", 1), ("ended", 1)]),
    4: ("collaboration", [("matched", 1), ("checked", 1)]),
    5: ("optimum", [("versions", 2), ("surveyed", LEAST_ANSWERS)]),
}


def levels_of(facts: Facts, language: Language) -> list[LevelView]:
    """All five, with the evidence for each."""
    shown: list[LevelView] = []
    below = True
    for level, (name, asked) in _ASKED.items():
        evidence = [_evidence(fact, needed, facts, language) for fact, needed in asked]
        below = below and all(each.holds for each in evidence)
        shown.append(LevelView(level, name, text(f"city.level.{name}", language), below, evidence))
    return shown


def level_of(levels: Sequence[LevelView]) -> int:
    """The highest reached; 0 for none."""
    return max((each.level for each in levels if each.reached), default=0)


def _evidence(fact: str, needed: int, facts: Facts, language: Language) -> Evidence:
    count = int(getattr(facts, fact))
    return Evidence(fact, text(f"city.fact.{fact}", language), count, needed, count >= needed)

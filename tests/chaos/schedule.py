"""What is done to the product and when: drawn from a seed, so that a run that found something can be run again."""

import heapq
import random
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from tests.harness.fault_proxy import MODES

Kind = Literal["kill", "pause", "network", "agency"]
AGENCY_MODES = ("hang", "error_500", "error_503", "reset", "lost_answer", "malformed", "slow_body")
LONGEST_NETWORK_S = 4.0
LONGEST_AGENCY_S = 6.0


class Action(msgspec.Struct, frozen=True, order=True):
    """One misfortune, `at_s` after the beginning. `target`: a process, a link or a backend; a kill has no `for_s`."""

    at_s: float
    kind: Kind
    target: str
    for_s: float = 0.0
    mode: str = ""


class Wildness(msgspec.Struct, frozen=True):
    """Whom what may befall, and how often; an empty list leaves that kind out."""

    kills: Sequence[str] = ()
    pauses: Sequence[str] = ()
    links: Sequence[str] = ()
    backends: Sequence[str] = ()
    kill_every_s: tuple[float, float] = (1.0, 5.0)
    trouble_every_s: tuple[float, float] = (3.0, 9.0)
    longest_pause_s: float = 4.0


def schedule(seed: int, wildness: Wildness) -> Iterator[Action]:
    """For ever, in order of time. Kills and the rest are drawn apart: one list does not depend on the other."""
    return heapq.merge(_kills(random.Random(f"{seed}.kills"), wildness), _troubles(random.Random(seed), wildness))


def _kills(dice: random.Random, wildness: Wildness) -> Iterator[Action]:
    now = 0.0
    while wildness.kills:
        now += dice.uniform(*wildness.kill_every_s)
        yield Action(now, "kill", dice.choice(wildness.kills))


def _troubles(dice: random.Random, wildness: Wildness) -> Iterator[Action]:
    kinds: list[Kind] = []
    kinds += ["pause"] if wildness.pauses else []
    kinds += ["network"] if wildness.links else []
    kinds += ["agency"] if wildness.backends else []
    now = 0.0
    while kinds:
        now += dice.uniform(*wildness.trouble_every_s)
        kind = dice.choice(kinds)
        if kind == "pause":
            yield Action(now, kind, dice.choice(wildness.pauses), dice.uniform(0.3, wildness.longest_pause_s))
        elif kind == "network":
            mode = dice.choice([*MODES, "latency"])
            yield Action(now, kind, dice.choice(wildness.links), dice.uniform(0.3, LONGEST_NETWORK_S), mode)
        else:
            mode = dice.choice(AGENCY_MODES)
            yield Action(now, kind, dice.choice(wildness.backends), dice.uniform(0.5, LONGEST_AGENCY_S), mode)

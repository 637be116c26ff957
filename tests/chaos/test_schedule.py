"""What befalls whom: the same from the same seed, in order, and within its bounds."""

import itertools

from tests.chaos.schedule import Action, Wildness, schedule

EVERYTHING = Wildness(kills=("a", "b"), pauses=("a",), links=("l",), backends=("x",))


def drawn(seed: int, wildness: Wildness = EVERYTHING) -> list[Action]:
    return list(itertools.islice(schedule(seed, wildness), 300))


def test_a_seed_gives_the_same_again_and_another_something_else() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_everything_befalls_in_order_and_kills_come_every_one_to_five_seconds() -> None:
    actions = drawn(1)
    assert {action.kind for action in actions} == {"kill", "pause", "network", "agency"}
    assert actions == sorted(actions, key=lambda action: action.at_s)
    kills = [action.at_s for action in actions if action.kind == "kill"]
    assert all(1 <= later - earlier <= 5 for earlier, later in itertools.pairwise(kills))


def test_kills_are_the_same_with_and_without_the_rest() -> None:
    alone = drawn(7, Wildness(kills=EVERYTHING.kills))
    together = [action for action in drawn(7) if action.kind == "kill"]
    assert together == alone[: len(together)]

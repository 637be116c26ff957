"""Requests that wait in one process: those it could be at work for hold a place, those that wait for others do not."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Waits for agencies that are let out of their places: as many agencies as a city has may hang at the same time, and
# what waits for them costs memory and nothing else. Beyond it, they hold their places.
MOST_OUTSIDE = 1024


class Room:
    """One process's places: `held` of them now. `outside` counts waits for agencies."""

    __slots__ = ("held", "outside")

    def __init__(self) -> None:
        self.held = 0
        self.outside = 0


class Place:
    """One request's place: held unless it waits for somebody else, and given up for good in the end."""

    __slots__ = ("_away", "_gone", "_held", "_room")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._away = 0
        self._gone = False
        self._held = True
        room.held += 1

    def step_out(self) -> None:
        """Several parts of a request may, each for itself; the place is taken again when all of them are back."""
        self._away += 1
        self._settle()

    def come_back(self) -> None:
        self._away -= 1
        self._settle()

    def leave(self) -> None:
        self._gone = True
        self._settle()

    def _settle(self) -> None:
        holds = not self._gone and self._away == 0
        if holds != self._held:
            self._held = holds
            self._room.held += 1 if holds else -1

    @contextmanager
    def outside(self) -> Iterator[None]:
        """While an agency is waited for, as long as there is room outside."""
        if self._gone or self._room.outside >= MOST_OUTSIDE:
            yield
            return
        self._room.outside += 1
        self.step_out()
        try:
            yield
        finally:
            self.come_back()
            self._room.outside -= 1


place: ContextVar[Place | None] = ContextVar("place", default=None)
"""The place of the request that is being answered, where it has one."""


@contextmanager
def outside() -> Iterator[None]:
    """While the block waits for an agency its request takes nobody's place."""
    held = place.get()
    if held is None:
        yield
        return
    with held.outside():
        yield

"""An operation's calls of the last while as this process saw them, and how many worked: what a share is judged by."""

import time

SLOTS = 6


class Recent:
    """Counted in slots of a sixth of `span_s`. What worked is told to the others with the next failure only."""

    def __init__(self, span_s: float) -> None:
        self._slot_s = span_s / SLOTS
        # By slot: worked, failed, worked and not told yet.
        self._slots: dict[int, list[int]] = {}

    def worked(self) -> None:
        slot = self._slot()
        slot[0] += 1
        slot[2] += 1

    def failed(self) -> None:
        self._slot()[1] += 1

    def seen(self) -> tuple[int, int]:
        """How many, and how many of them failed."""
        self._slot()
        failed = sum(slot[1] for slot in self._slots.values())
        return failed + sum(slot[0] for slot in self._slots.values()), failed

    def take_untold(self) -> int:
        """How many worked that nobody was told of; the caller tells."""
        self._slot()
        untold = sum(slot[2] for slot in self._slots.values())
        for slot in self._slots.values():
            slot[2] = 0
        return untold

    def forget(self) -> None:
        self._slots.clear()

    def _slot(self) -> list[int]:
        number = int(time.monotonic() / self._slot_s)
        slot = self._slots.get(number)
        if slot is None:
            self._slots = {each: kept for each, kept in self._slots.items() if each > number - SLOTS}
            slot = self._slots[number] = [0, 0, 0]
        return slot

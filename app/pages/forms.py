"""A form that was sent and refused, shown again: what was typed stands in its fields, what is wrong beside them."""

from collections.abc import Mapping, Sequence

import msgspec

Fields = Mapping[str, Sequence[str]]

# What people write themselves: told back even where the form is no longer on the page.
OWN_WORDS = ("words", "question", "reason", "reference")


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a field, in words. `label` and `id` are known once the page has shown the field."""

    name: str
    words: str
    label: str = ""
    id: str = ""


class Sent:
    """What a page asks, while it is rendered from top to bottom: each form says when it begins, and its fields what
    they are called. On a page that nobody sent a form to, every field stands as it was given."""

    def __init__(self, action: str = "", fields: Fields | None = None, faults: Sequence[Fault] = ()) -> None:
        self._action, self._fields = action, fields or {}
        self._left = {fault.name: fault.words for fault in faults}
        self._is_within = False
        self._was_shown = False
        self.found: list[Fault] = []

    def begin(self, action: str) -> None:
        self._is_within = action == self._action
        self._was_shown = self._was_shown or self._is_within

    def end(self) -> None:
        self._is_within = False

    def is_at(self, action: str) -> bool:
        """Whether it was this form: what folds it away is open then."""
        return bool(self._action) and action == self._action

    def value(self, name: str, given: object) -> object:
        """What stands in the field: what was typed, else what the page gives."""
        typed = self._fields.get(name) if self._is_within else None
        return typed[0] if typed else given

    def is_ticked(self, name: str, value: object) -> bool:
        return self._is_within and str(value) in self._fields.get(name, ())

    def fault(self, name: str, element_id: str, label: str) -> str:
        """What is wrong with the field, "" for nothing; from now on the page knows where it stands."""
        words = self._left.pop(name, "") if self._is_within else ""
        if words:
            self.found.append(Fault(name, words, label, element_id))
        return words

    @property
    def loose(self) -> list[str]:
        """What is wrong with no field that the page shows."""
        return list(dict.fromkeys(self._left.values()))

    @property
    def unshown(self) -> list[str]:
        """What was written in a form that the page no longer has."""
        if self._was_shown:
            return []
        return [words for name in OWN_WORDS for words in self._fields.get(name, ()) if words.strip()]

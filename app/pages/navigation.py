"""Entries of the menu: each folder of pages says its own beside its routes."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

Icon = Literal["home", "cases", "figures", "systems", "desk", "city", "audit", "clock", "steps", "eye", "chain", "list"]


class Entry(msgspec.Struct, frozen=True):
    """A link in the menu. `words`: the key of its text. `place`: lower stands higher."""

    path: str
    words: str
    roles: Collection[str]
    place: int
    icon: Icon = "list"


class Link(msgspec.Struct, frozen=True):
    """An entry as one page shows it."""

    path: str
    words: str
    icon: Icon
    is_current: bool


def links_for(entries: Iterable[Entry], role: str, path: str) -> Sequence[Link]:
    """What this role sees on the page at `path`; the longest entry that leads there is the current one."""
    seen = sorted((each for each in entries if role in each.roles), key=lambda each: each.place)
    above = [each.path for each in seen if path == each.path or path.startswith(f"{each.path}/")]
    current = max(above, key=len, default="")
    return [Link(each.path, each.words, each.icon, each.path == current) for each in seen]

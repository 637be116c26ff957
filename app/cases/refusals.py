"""Why agencies refuse, as codes that can be counted: their words are people's, and stand sealed."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

# Where the words fit nothing we know.
OTHER = "other"


def reason_code(words: str) -> str:
    """The code of a refusal in the agency's own words, told before they are sealed."""
    heard = words.lower()
    return next((code for code, known in _codes().items() if any(word in heard for word in known)), OTHER)


@lru_cache(maxsize=1)
def _codes() -> Mapping[str, Sequence[str]]:
    return tomllib.loads(Path(__file__).with_name("refusals.toml").read_text("utf-8"))

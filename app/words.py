"""What people write in their own words: something to read in it, and nothing that breaks a log or a column."""

import re

# Control characters break PostgreSQL's jsonb or an agency's log; tab and line ends may stay.
_BROKEN = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
# Blanks of all kinds, and what has no shape: joiners, marks of direction, fillers.
_UNSEEN = (
    r"\t\n\r \xa0\xad\u034f\u115f\u1160\u1680\u17b4\u17b5\u180e"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufeff\uffa0"
)
# What is seen first can stand in one place only: an engine has nothing to try twice.
_SEEN = f"[{_UNSEEN}]*[^{_BROKEN}{_UNSEEN}][^{_BROKEN}]*"
SAID = f"^{_SEEN}$"
SAID_OR_NOTHING = f"^({_SEEN})?$"
SAID_ON_ONE_LINE = f"^[ \\xa0]*[^{_BROKEN}{_UNSEEN}][^\\t\\n\\r{_BROKEN}]*$"
_TOLD = repr(_UNSEEN)[1:-1]
_NOTHING = re.compile(f"[{_UNSEEN}]*")


def says_nothing(text: str) -> bool:
    """Whether there is nothing to read in it."""
    return _NOTHING.fullmatch(text) is not None


def is_unsaid(message: str) -> bool:
    """Whether this is how msgspec refuses what does not match one of them."""
    return _TOLD in message

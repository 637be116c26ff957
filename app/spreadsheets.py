"""Cells that a spreadsheet shows and never runs."""

# What begins so is taken for a formula, or for the way into one.
_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


def harmless(words: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe before it makes it one's words."""
    return f"'{words}" if words.startswith(_BEGINNINGS) else words

"""What stands in the record, in words for whoever examines it."""

from collections.abc import Callable

from app.texts import Language, has_text, text


def wording_in(language: Language) -> Callable[[str, str], str]:
    """Of a kind and a key of the record, the words, or "" where there are none: an auditor reads both. Those that speak
    to a citizen are said otherwise here."""

    def named(kind: str, key: str) -> str:
        found = next((whole for each in ("auditing", "audit") if has_text(whole := f"{each}.{kind}.{key}")), "")
        return text(found, language) if found else ""

    return named

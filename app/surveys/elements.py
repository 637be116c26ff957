"""The nine elements of the survey, in the regulation's order; each is answered from 1 to 4."""

from collections.abc import Sequence

# U1 to U9, by the names that the API and the texts have for them.
ELEMENTS: Sequence[str] = (
    "requirements",
    "procedure",
    "time",
    "fee",
    "product",
    "competence",
    "conduct",
    "complaints",
    "facilities",
)
COLUMNS: Sequence[str] = tuple(f"u{number}" for number in range(1, len(ELEMENTS) + 1))
BEST = 4

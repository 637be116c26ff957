"""Case numbers that people can read aloud: city's region code, year, running number, check digit."""

import re
from datetime import date

_TYPED = re.compile(r"([0-9]{4})[-. ]?([0-9]{2})[-. ]?([0-9]{7,8})[-. ]?([0-9])")

# The anti-symmetric quasigroup of Damm's thesis (2004): finds every single wrong digit and every swap of neighbours.
_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


def case_number(region: str, on: date, running: int) -> str:
    """`3571-26-0000123-4` for the 123rd case of the city 35.71 in 2026; the running number never starts again."""
    digits = f"{region.replace('.', '')}{on:%y}{running:07d}"
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}-{check_digit(digits)}"


def is_case_number(text: str) -> bool:
    """Whether the check digit holds."""
    digits = text.replace("-", "")
    return digits.isascii() and digits.isdigit() and check_digit(digits) == 0


def as_case_number(typed: str) -> str:
    """What people type of a number, with blanks, dots or nothing between its parts, as it is written; "" for what has
    another shape. Whether it can be one says `is_case_number`."""
    parts = _TYPED.fullmatch(typed.strip())
    return "-".join(parts.groups()) if parts else ""


def check_digit(digits: str) -> int:
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return interim

"""Our values as agencies' forms want them written."""

import re


def local_phone(phone: str) -> str:
    """A telephone number as it is written in Indonesia, digits only: +62812... becomes 0812..."""
    digits = re.sub(r"[^0-9]", "", phone)
    return f"0{digits[2:]}" if digits.startswith("62") else digits

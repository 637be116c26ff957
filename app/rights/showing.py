"""A stored row as its person may read it: decrypted, unsealed, and what is withheld named instead of shown."""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from app.privacy import SEALED, CannotDecrypt, Vault
from app.rights.registry import Place

WITHHELD = "withheld"
UNREADABLE = "unreadable"


def shown(row: Mapping[str, Any], place: Place, vault: Vault) -> dict[str, object]:
    """Every column; encrypted ones under their name without `_enc`."""
    return {
        name.removesuffix("_enc"): _value(value, name, place, vault) if value is not None else None
        for name, value in row.items()
    }


def _value(value: object, name: str, place: Place, vault: Vault) -> object:
    if name in place.personal.withheld:
        return {WITHHELD: True}
    if isinstance(value, bytes) and name.endswith("_enc"):
        return _opened(value, f"{place.table}.{name.removesuffix('_enc')}", vault) if value else None
    return _plain(value, vault)


def _opened(blob: bytes, context: str, vault: Vault) -> object:
    try:
        plain = vault.decrypt(blob, context)
    except CannotDecrypt:
        return {UNREADABLE: True}
    try:
        found: object = msgspec.json.decode(plain)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return plain.decode("utf-8", "replace")
    # A NIK or a phone is a text of digits, not a number; what was stored as JSON is an object or a list.
    return _plain(found, vault) if isinstance(found, dict | list) else plain.decode()


def _plain(value: object, vault: Vault) -> object:
    if isinstance(value, str):
        return _words(value, vault)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(name): _plain(each, vault) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, vault) for each in value]
    return value


def _words(text: str, vault: Vault) -> object:
    if not text.startswith(SEALED):
        return text
    try:
        return vault.unseal(text)
    except CannotDecrypt:
        return {UNREADABLE: True}

"""A device that has been logged in with before shows it by a token of ours, and is counted apart from everybody else.

So nobody's wrong tries keep a citizen out on a device they have used. It opens nothing by itself: password and code are
asked of a known device too. Nothing is stored; the token holds itself together by its MAC, bound to one NIK.
"""

import base64
import binascii
import hmac
import secrets
import time

from app.privacy import Vault

LIFE_S = 400 * 86_400
_ID_BYTES = 16
_TIME_BYTES = 6
_MAC_BYTES = 32
# Of whole groups of three bytes, so that one token is written in one way only.
_LENGTH = (_ID_BYTES + _TIME_BYTES + _MAC_BYTES) // 3 * 4


def device_token(vault: Vault, nik_index: bytes) -> str:
    """A new token for a device on which this account has just been logged in to."""
    body = secrets.token_bytes(_ID_BYTES) + int(time.time()).to_bytes(_TIME_BYTES, "big")
    return base64.urlsafe_b64encode(body + _mac(vault, nik_index, body)).decode()


def known_device(vault: Vault, nik_index: bytes, token: str) -> bytes | None:
    """The device's id, None where the token is not ours, not this account's or too old. Takes as long for any NIK."""
    if len(token) != _LENGTH:
        return None
    try:
        raw = base64.urlsafe_b64decode(token)
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(vault, nik_index, body)):
        return None
    given_at = int.from_bytes(body[_ID_BYTES:], "big")
    return body[:_ID_BYTES] if time.time() - given_at < LIFE_S else None


def _mac(vault: Vault, nik_index: bytes, body: bytes) -> bytes:
    return vault.index("known device", f"{nik_index.hex()}:{body.hex()}")

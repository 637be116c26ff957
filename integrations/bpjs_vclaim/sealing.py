"""BPJS's signing and sealing: one timestamp signs a request, and opens the answer to that request and to no other."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from integrations.bpjs_vclaim.lzstring import NotPacked, pack, unpack


class Unreadable(Exception):
    """A sealed answer cannot be opened with this key; the message says how far it came."""


class Account(msgspec.Struct, frozen=True):
    """Who asks, as BPJS knows them."""

    cons_id: str
    secret_key: str
    user_key: str


def signed_headers(account: Account, timestamp: str) -> Mapping[str, str]:
    """`timestamp`: Unix seconds in UTC, in digits."""
    return {
        "X-cons-id": account.cons_id,
        "X-timestamp": timestamp,
        "X-signature": signature(account, timestamp),
        "user_key": account.user_key,
    }


def signature(account: Account, timestamp: str) -> str:
    message = f"{account.cons_id}&{timestamp}".encode()
    return base64.b64encode(hmac.digest(account.secret_key.encode(), message, "sha256")).decode()


def sealing_key(account: Account, timestamp: str) -> bytes:
    """The key of the answer to the request signed with this timestamp."""
    return hashlib.sha256(f"{account.cons_id}{account.secret_key}{timestamp}".encode()).digest()


def unseal(sealed: str, key: bytes, most: int) -> str:
    """The JSON inside. Raises Unreadable; never holds more than `most` characters of it."""
    decryptor = _cipher(key).decryptor()
    unpadder = PKCS7(AES.block_size).unpadder()
    try:
        padded = decryptor.update(base64.b64decode(sealed, validate=True)) + decryptor.finalize()
        packed = (unpadder.update(padded) + unpadder.finalize()).decode("ascii")
    except (binascii.Error, ValueError):
        # Which of the two it was is not told apart: to the wire all of it is one failure.
        raise Unreadable("not sealed with this key") from None
    try:
        return unpack(packed, most)
    except NotPacked as error:
        raise Unreadable(str(error)) from None


def seal(content: str, key: bytes) -> str:
    """As BPJS's side does it: packed, padded, encrypted, base64."""
    padder = PKCS7(AES.block_size).padder()
    encryptor = _cipher(key).encryptor()
    padded = padder.update(pack(content).encode("ascii")) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def _cipher(key: bytes) -> Cipher[CBC]:
    return Cipher(AES(key), CBC(key[: AES.block_size // 8]))

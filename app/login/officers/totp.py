"""Time-based codes (RFC 6238): six digits every 30 seconds, each used once."""

import base64
import hmac
import secrets

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import totp as rfc6238

from app.login.officers.models import TOTP
from app.privacy import Vault

_STEP_S = 30
_DIGITS = 6
# A phone's clock may be this many steps off.
_DRIFT = 1
_SECRET_BYTES = 20
_ISSUER = "Satu Loket"


def new_secret() -> str:
    """160 random bits in base32."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sealed(vault: Vault, secret: str) -> bytes:
    return vault.encrypt(secret.encode(), TOTP)


def step_of(vault: Vault, sealed_secret: bytes, code: str, *, now: float) -> int | None:
    """The step whose code this is. Every step that may match is compared, so that the time tells nothing."""
    codes = _codes(vault.decrypt(sealed_secret, TOTP).decode())
    current = int(now) // _STEP_S
    matching = [
        step
        for step in range(current - _DRIFT, current + _DRIFT + 1)
        if hmac.compare_digest(codes.generate(step * _STEP_S), code.encode())
    ]
    return matching[-1] if matching else None


def provisioning_uri(secret: str, name: str) -> str:
    """What the QR code of an enrolment says."""
    return _codes(secret).get_provisioning_uri(name, _ISSUER)


def _codes(secret: str) -> rfc6238.TOTP:
    """SHA-1 is what every authenticator app knows, and enough in an HMAC. The demo's published secret is short."""
    key = base64.b32decode(secret)
    return rfc6238.TOTP(key, _DIGITS, SHA1(), _STEP_S, enforce_key_length=False)  # noqa: S303 - every app's choice

"""A passkey device in software, honest unless told otherwise: what it signs can be bent as a thief would bend it."""

import base64
import hashlib
import json
import secrets
from typing import Any

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


class Bent(msgspec.Struct, frozen=True):
    """What is different from what an honest device and browser would say."""

    origin: str | None = None
    domain: str | None = None
    challenge: str | None = None
    kind: str | None = None
    cross_origin: bool = False
    present: bool = True
    verified: bool = True
    counter: int | None = None
    signature: bytes | None = None
    user_handle: str | None = None
    client_data: bytes | None = None
    authenticator_data: bytes | None = None


HONEST = Bent()


class Authenticator:
    """One passkey, for one page."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.credential_id = secrets.token_bytes(32)
        self.counter = 0
        self._key = generate_private_key(SECP256R1())
        self._user_handle = ""

    def create(self, options: dict[str, Any], bent: Bent = HONEST) -> dict[str, Any]:
        """What `navigator.credentials.create()` gives."""
        self._user_handle = options["user"]["id"]
        client = self._client_data("webauthn.create", options["challenge"], bent)
        numbers = self._key.public_key().public_numbers()
        key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + cbor2.dumps(key)
        data = self._data(options["rp"]["id"], _ATTESTED, bent) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": bent.authenticator_data or data})
        told = {"attestationObject": bytes_to_base64url(attestation), "transports": ["internal"]}
        return self._credential({**told, "clientDataJSON": bytes_to_base64url(client)})

    def get(self, options: dict[str, Any], bent: Bent = HONEST) -> dict[str, Any]:
        """What `navigator.credentials.get()` gives."""
        self.counter += 1
        client = self._client_data("webauthn.get", options["challenge"], bent)
        data = bent.authenticator_data or self._data(options["rpId"], 0, bent)
        signature = bent.signature or self._key.sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        told = {"authenticatorData": data, "signature": signature, "clientDataJSON": client}
        handle = {"userHandle": bent.user_handle or self._user_handle}
        return self._credential({name: bytes_to_base64url(value) for name, value in told.items()} | handle)

    def exported(self, domain: str) -> dict[str, Any]:
        """For Chromium's own virtual authenticator (DevTools protocol, WebAuthn.Credential)."""
        key = self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return {
            "credentialId": base64.b64encode(self.credential_id).decode(),
            "isResidentCredential": True,
            "rpId": domain,
            "privateKey": base64.b64encode(key).decode(),
            "userHandle": base64.b64encode(base64url_to_bytes(self._user_handle)).decode(),
            "signCount": self.counter,
        }

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        own_id = bytes_to_base64url(self.credential_id)
        return {
            "id": own_id,
            "rawId": own_id,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
            "authenticatorAttachment": "platform",
        }

    def _client_data(self, kind: str, challenge: str, bent: Bent) -> bytes:
        said = {
            "type": bent.kind or kind,
            "challenge": bent.challenge or challenge,
            "origin": bent.origin or self.origin,
            "crossOrigin": bent.cross_origin,
        }
        return bent.client_data or json.dumps(said).encode()

    def _data(self, domain: str, flags: int, bent: Bent) -> bytes:
        flags |= _PRESENT * bent.present | _VERIFIED * bent.verified
        counter = self.counter if bent.counter is None else bent.counter
        return hashlib.sha256((bent.domain or domain).encode()).digest() + bytes([flags]) + counter.to_bytes(4)

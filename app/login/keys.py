"""The keys that sign access tokens: made once, kept encrypted, published by /.well-known/jwks.json."""

import time
from collections.abc import Mapping, Sequence

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import ECAlgorithm
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database, utc_now
from app.ids import uuid7
from app.login.models import PRIVATE_KEY, KeyState, SigningKey
from app.privacy import Vault

ALGORITHM = "ES256"
# An unknown key id makes a process look again, but not more often than this: anybody can invent key ids.
LOOK_AGAIN_S = 2.0
# And without any reason as often as this, so that a key that was withdrawn stops being believed.
REFRESH_S = 60.0
# The next key signs no sooner than every process and every client's copy of our keys has it.
PUBLISHED_S = 900
# A client's id_token_hint comes back up to half a day after it was signed.
RETIRED_KEPT_S = 86_400
_LOCK_ID = 0x6C6F6B_6574  # "loket": one process makes the first keys, the others wait for it


class Signer(msgspec.Struct, frozen=True):
    """The active key."""

    kid: str
    key: EllipticCurvePrivateKey


class KeyRing:
    """This process's copy of the signing keys."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._signer: Signer | None = None
        self._public: dict[str, EllipticCurvePublicKey] = {}
        self._published: list[dict[str, str]] = []
        self._read_at = float("-inf")

    @property
    def signer(self) -> Signer:
        if self._signer is None:
            raise RuntimeError("the key ring was not opened")
        return self._signer

    @property
    def published(self) -> Sequence[Mapping[str, str]]:
        """Public keys as JWKs, the next one included: clients have it before the first token signed with it."""
        return self._published

    def known(self, kid: str) -> EllipticCurvePublicKey | None:
        return self._public.get(kid)

    async def find(self, kid: str) -> EllipticCurvePublicKey | None:
        """The public key, looked up again where it is unknown and was not just looked up."""
        if kid not in self._public and time.monotonic() - self._read_at > LOOK_AGAIN_S:
            await self.refresh()
        return self._public.get(kid)

    async def open(self) -> None:
        """Make the first keys where there are none, and read them."""
        async with self._database.transaction() as session:
            await session.execute(text("select pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
            await _ensure_keys(session, self._vault)
        await self.refresh()

    async def refresh(self) -> None:
        self._read_at = time.monotonic()
        async with self._database.transaction() as session:
            rows = await list_keys(session)
        self._public = {row.kid: _public_key(row.public_jwk) for row in rows}
        self._published = [dict(row.public_jwk) for row in rows]
        active = next(row for row in rows if row.state == "active")
        if self._signer is None or self._signer.kid != active.kid:
            self._signer = Signer(active.kid, _private_key(self._vault.decrypt(active.private_key_enc, PRIVATE_KEY)))


class NotYet(Exception):
    """The next key is too new: a client that still has our former keys would refuse what it signs."""


async def rotate_keys(session: AsyncSession, vault: Vault, *, compromised: bool = False) -> str:
    """The next key signs from now on, and a new next one is published; the new signer's kid. Raises NotYet.

    What the former signed still counts until it ends by itself, so nobody is logged out. `compromised`: the former is
    believed by nobody any more, and the next does not wait; access tokens are then refreshed once before their time.
    """
    await session.execute(text("select pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
    await _ensure_keys(session, vault)
    await session.flush()
    keys = {key.state: key for key in await session.scalars(select(SigningKey).where(SigningKey.state != "retired"))}
    former, coming = keys["active"], keys["next"]
    await session.refresh(coming)
    if not compromised and (utc_now() - coming.created_at).total_seconds() < PUBLISHED_S:
        raise NotYet
    if compromised:
        await session.delete(former)
    else:
        former.state, former.retired_at = "retired", utc_now()
    await session.flush()
    coming.state = "active"
    await session.flush()
    session.add(_new_key(vault, "next"))
    return coming.kid


async def list_keys(session: AsyncSession) -> Sequence[SigningKey]:
    """Oldest first."""
    return (await session.scalars(select(SigningKey).order_by(SigningKey.created_at, SigningKey.kid))).all()


async def _ensure_keys(session: AsyncSession, vault: Vault) -> None:
    states: set[str] = set(await session.scalars(select(SigningKey.state)))
    needed: tuple[KeyState, ...] = ("active", "next")
    session.add_all(_new_key(vault, state) for state in needed if state not in states)


def _new_key(vault: Vault, state: KeyState) -> SigningKey:
    key = generate_private_key(SECP256R1())
    kid = uuid7().hex
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(
        kid=kid,
        state=state,
        public_jwk={**jwk, "kid": kid, "use": "sig", "alg": ALGORITHM},
        private_key_enc=vault.encrypt(private, PRIVATE_KEY),
    )


def _public_key(jwk: Mapping[str, object]) -> EllipticCurvePublicKey:
    key = ECAlgorithm.from_jwk(dict(jwk))
    if not isinstance(key, EllipticCurvePublicKey):
        raise TypeError("a signing key's public part is not one")
    return key


def _private_key(der: bytes) -> EllipticCurvePrivateKey:
    key = load_der_private_key(der, password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("a signing key is not an elliptic curve's")
    return key

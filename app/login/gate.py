"""What one process keeps so that a request can be let in without asking anybody: keys, seen tokens, ended sessions."""

import asyncio
import logging

import msgspec

from app.database import AWAY, Database
from app.errors import Unauthenticated
from app.limits import Limiter
from app.login.courier import Courier
from app.login.keys import REFRESH_S, KeyRing
from app.login.passwords import PasswordHasher
from app.login.port import LoginPort
from app.login.profiles import Profiles
from app.login.proof import Proof
from app.login.revocations import Revocations
from app.login.tokens import AccessTokens, Claims
from app.privacy import Vault
from app.settings import Settings
from app.tasks import end
from app.valkey import Valkey

log = logging.getLogger("loket.login")


class Parts(msgspec.Struct, frozen=True):
    """What login stands on, given by the assembly."""

    settings: Settings
    database: Database
    vault: Vault
    valkey: Valkey
    limiter: Limiter
    courier: Courier
    register: LoginPort | None = None


class Gate:
    """One for one process and one event loop. The assembly opens it before Valkey starts to listen, and closes it."""

    def __init__(self, parts: Parts) -> None:
        self.settings = parts.settings
        self.database = parts.database
        self.vault = parts.vault
        self.limiter = parts.limiter
        self.courier = parts.courier
        self.issuer = parts.settings.issuer
        self.keys = KeyRing(parts.database, parts.vault)
        self.tokens = AccessTokens(self.keys, self.issuer)
        self.revocations = Revocations(parts.database, parts.valkey)
        self.profiles = Profiles(parts.database, parts.vault, parts.valkey)
        self.passwords = PasswordHasher()
        self.proof = Proof(parts.database, parts.register)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self.keys.open()
        await self.revocations.open()
        self._task = asyncio.create_task(self._keep_keys_fresh(), name="signing-keys")

    async def close(self) -> None:
        await end(self._task)
        await self.revocations.close()
        self.passwords.close()

    async def admit(self, token: str) -> Claims:
        """The claims of a token whose session still lives. Raises Unauthenticated."""
        claims = await self.tokens.verify(token)
        if claims.session_id in self.revocations:
            raise Unauthenticated("session_revoked")
        return claims

    async def _keep_keys_fresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.keys.refresh()
            except AWAY as error:
                log.warning("signing keys could not be read: %s", type(error).__name__)

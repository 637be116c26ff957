"""How one process lets officers in: their token, and then their session as it stands in the database."""

from app.errors import Unauthenticated
from app.login.gate import Gate
from app.login.guards import Officer, OfficerDoor
from app.login.officers.sessions import living_by_cookie, living_by_id
from app.login.officers.tokens import OfficerTokens


class Door(OfficerDoor):
    """Built by the assembly beside the gate, with the gate's keys."""

    def __init__(self, gate: Gate) -> None:
        self._database = gate.database
        self.tokens = OfficerTokens(gate.keys, gate.issuer)

    async def by_token(self, token: str) -> Officer:
        officer = await living_by_id(self._database, await self.tokens.session_of(token))
        if officer is None:
            raise Unauthenticated("session_revoked")
        return officer

    async def by_cookie(self, cookie: str) -> Officer | None:
        return await living_by_cookie(self._database, cookie)

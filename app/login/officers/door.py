"""How one process lets officers in: their token or cookie, and then their session as it stands in the database."""

from contextlib import suppress
from typing import Any

from litestar import Request

from app.database import AWAY
from app.errors import Forbidden, LoketError, Unauthenticated
from app.login.gate import Gate
from app.login.guards import Officer, OfficerDoor
from app.login.officers.browsers import SESSION, VISITOR, check_form
from app.login.officers.interrupted import note_interrupted
from app.login.officers.sessions import living_by_cookie, living_by_id
from app.login.officers.tokens import OfficerTokens


class Door(OfficerDoor):
    """Built by the assembly beside the gate, with the gate's keys."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.tokens = OfficerTokens(gate.keys, gate.issuer)

    async def by_token(self, token: str) -> Officer:
        officer = await living_by_id(self._gate.database, await self.tokens.session_of(token))
        if officer is None:
            raise Unauthenticated("session_revoked")
        return officer

    async def by_page(self, request: Request[Any, Any, Any]) -> Officer:
        cookie = request.cookies.get(SESSION, "")
        try:
            officer = await living_by_cookie(self._gate.database, cookie) if cookie else None
        except (LoketError, *AWAY):
            # Nobody can be asked whose it is now: the page that says so holds what was written, to be sent again.
            with suppress(Forbidden):
                await check_form(request, self._gate, SESSION)
            raise
        if officer is None and cookie:
            await note_interrupted(request, self._gate, cookie)
            raise Unauthenticated("session_revoked")
        if officer is None:
            raise Unauthenticated("token_missing")
        await check_form(request, self._gate, SESSION)
        return officer

    async def visit(self, request: Request[Any, Any, Any]) -> None:
        await check_form(request, self._gate, VISITOR)

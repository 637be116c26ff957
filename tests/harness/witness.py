"""Who was served whose personal data, seen from outside over a whole test run: each answer with a citizen's name, NIK
or phone that went to somebody else must have left a row in the audit, about that citizen, under that request's id.

No route is named here, so that a new one is watched as well.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.login.guards import Caller
from tests.harness.tables import Tables

# Pages that a citizen sees in their own browser, whom a cookie names and no token.
OWN_PAGES = ("/oauth/authorize", "/oauth/end-session")
_LARGEST_BODY = 2_000_000
_RECORDED = "SELECT count(*) FROM audit_rows WHERE request_id = $1 AND subject_id = $2"
_known: dict[str, UUID] = {}


class Served(msgspec.Struct, frozen=True):
    """One citizen's data in one answer."""

    subject_id: UUID
    request_id: str
    route: str


def remember(citizen_id: UUID, told: Sequence[str]) -> None:
    """Watch for these words of a citizen's from now on."""
    _known.update(dict.fromkeys(told, citizen_id))


def forget(citizen_id: UUID) -> None:
    for words in [words for words, whose in _known.items() if whose == citizen_id]:
        del _known[words]


class Witness:
    """Around the application, as a proxy would stand. `served` is what it saw."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.served: list[Served] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, started = bytearray(), {}

        async def seen(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            elif message["type"] == "http.response.body" and len(body) < _LARGEST_BODY:
                body.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, seen)
        self._look(scope, started, bytes(body))

    def _look(self, scope: Mapping[str, Any], started: Mapping[str, Any], body: bytes) -> None:
        user = scope.get("user")
        if not body or scope["path"] in OWN_PAGES or (isinstance(user, Caller) and user.acting is None):
            return
        told = body.decode("utf-8", "replace")
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in started.get("headers", ())}
        route = f"{scope['method']} {scope.get('path_template') or scope['path']}"
        for citizen_id in {whose for words, whose in list(_known.items()) if words in told}:
            self.served.append(Served(citizen_id, headers.get("x-request-id", ""), route))

    def unrecorded(self, database_url: str) -> Sequence[str]:
        """The answers that left no row."""
        return asyncio.run(unrecorded(self.served, database_url)) if self.served else ()


async def unrecorded(served: Sequence[Served], database_url: str) -> Sequence[str]:
    """Each route with how many of its answers left no row about whom they told of."""
    missing: Counter[str] = Counter()
    async with Tables(database_url) as tables:
        for each in served:
            if not await tables.value(_RECORDED, each.request_id, each.subject_id):
                missing[each.route] += 1
    return [f"{route}: {count} answers with a citizen's data left no audit row" for route, count in missing.items()]

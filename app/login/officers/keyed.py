"""An officer's call that creates something: once per Idempotency-Key, as a citizen's is.

app.login.officers.once does the same for forms, which have no header: they are known by their mark.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Connection, Database
from app.idempotency import (
    KEY_HEADER,
    OFFICERS,
    FirstAnswer,
    KeyedRequest,
    answered,
    fingerprint,
    first_answer,
    keep_answer,
    read_key,
)
from app.jobs import driver_connection
from app.login.guards import OfficerRequest
from app.privacy import Vault

Work = Callable[[Connection], Awaitable[msgspec.Struct | None]]


class Tools(Protocol):
    """Where answers are kept, and what seals them."""

    @property
    def database(self) -> Database: ...

    @property
    def vault(self) -> Vault: ...


async def created(request: OfficerRequest, tools: Tools, work: Work, status: int = 201) -> Response[Any]:
    """The key's first answer, or what `work` made, as JSON; 204 where it is None. All of it in one transaction."""
    keyed = await _keyed(request)
    async with tools.database.begin() as connection:
        first = await first_answer(connection, keyed, tools.vault)
        if first is not None:
            return answered(first, replayed=True)
        answer = _told(await work(connection), status)
        await keep_answer(connection, keyed, answer, tools.vault)
    return answered(answer)


async def created_in_session(
    request: OfficerRequest, tools: Tools, work: Callable[[AsyncSession], Awaitable[msgspec.Struct]]
) -> Response[Any]:
    """The same for what is done in a session."""
    keyed = await _keyed(request)
    async with tools.database.transaction() as session:
        connection = await driver_connection(session)
        first = await first_answer(connection, keyed, tools.vault)
        if first is not None:
            return answered(first, replayed=True)
        answer = _told(await work(session), 201)
        await keep_answer(connection, keyed, answer, tools.vault)
    return answered(answer)


async def _keyed(request: OfficerRequest) -> KeyedRequest:
    """The request under its key. Raises BadRequest where that is missing, or malformed."""
    key = read_key(request.headers.get(KEY_HEADER), required=True) or ""
    same = fingerprint(request.method, request.url.path, await request.body())
    return KeyedRequest(request.user.id, key, same, OFFICERS)


def _told(made: msgspec.Struct | None, status: int) -> FirstAnswer:
    return FirstAnswer(204, b"") if made is None else FirstAnswer(status, msgspec.json.encode(made))

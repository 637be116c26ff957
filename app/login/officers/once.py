"""An officer's form is carried out once, however often it comes: two clicks, back and again, two tries of a phone.

A form is known by its mark, new on every page, with all its fields: what comes again answers as it did at first. What
was changed in between is another form. The answer stands in the transaction of what it tells, and is kept for a day.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Connection, Database
from app.errors import Conflict, LoketError
from app.jobs import driver_connection
from app.login.guards import OfficerRequest
from app.login.officers.browsers import sent_fields, sent_mark
from app.login.officers.pages import RESUMED, sent_to

KEPT = timedelta(days=1)
# Held until the transaction ends: who comes second waits, and then finds what the first was answered.
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 11))"
_FIND = "SELECT location FROM officer_forms WHERE digest = $1"
_KEEP = "INSERT INTO officer_forms (digest, officer_id, location, expires_at) VALUES ($1, $2, $3, now() + $4)"


class Done(msgspec.Struct, frozen=True):
    """What came of a form: the page that says so, and what is still to be told once it is committed."""

    path: str
    afterwards: Callable[[], Awaitable[None]] | None = None


Work = Callable[[Connection], Awaitable[Done]]
Again = Callable[[LoketError], Awaitable[Response[Any]]]


async def carried_out(request: OfficerRequest, database: Database, work: Work, again: Again) -> Response[Any]:
    """Do what the form asks for, in one transaction; refused, `again` shows the page that it came from."""
    try:
        async with database.begin() as connection:
            done = await first_time(request, connection, work)
    except LoketError as refusal:
        return await again(refusal)
    if done.afterwards is not None:
        await done.afterwards()
    return sent_to(done.path)


async def carried_out_in_session(
    request: OfficerRequest, database: Database, work: Callable[[AsyncSession], Awaitable[str]], again: Again
) -> Response[Any]:
    """The same for what is done in a session; `work` gives the page that says so."""
    try:
        async with database.transaction() as session:

            async def within(_: Connection) -> Done:
                return Done(await work(session))

            done = await first_time(request, await driver_connection(session), within)
    except LoketError as refusal:
        return await again(refusal)
    return sent_to(done.path)


async def first_time(request: OfficerRequest, connection: Connection, work: Work) -> Done:
    """What came of the form now, or the first time, in the caller's transaction. Raises Conflict for a form that was
    kept through a login: its officer looks at it first."""
    if RESUMED in sent_fields(request):
        raise Conflict("form_not_sent")
    digest = _digest(request)
    await connection.execute(_TURN, digest)
    known: str | None = await connection.fetchval(_FIND, digest)
    if known is not None:
        return Done(known)
    done = await work(connection)
    await connection.execute(_KEEP, digest, request.user.id, done.path, KEPT)
    return done


def _digest(request: OfficerRequest) -> bytes:
    """Nobody who does not have the page can find out what was sent: a mark cannot be guessed."""
    sent = (str(request.user.id), request.url.path, sent_mark(request), sent_fields(request))
    return hashlib.sha256(msgspec.json.encode(sent)).digest()

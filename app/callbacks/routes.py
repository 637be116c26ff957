"""Where agencies' systems tell us something: `POST /callbacks/<backend>`. No part of the contract for frontends."""

import logging
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, post
from litestar.params import PathParameter

from app.callbacks.actions import hear
from app.callbacks.officer_routes import OFFICER_ROUTES
from app.callbacks.port import MAX_BODY_BYTES, Callbacks, Incoming, NotProven, Tiding, Unreadable
from app.callbacks.strays import Teller
from app.cases.tools import CaseTools
from app.database import utc_now
from app.errors import BadRequest, NotFound, Unauthenticated
from app.login.guards import PUBLIC
from app.problems import problems
from app.storable import refuse_texts

BackendName = Annotated[str, PathParameter(max_length=64, description="The system's name here, such as `fonnte`.")]
log = logging.getLogger("loket.callbacks")


class Heard(msgspec.Struct, frozen=True):
    """It has arrived; nothing more is told."""

    status: Literal["ok"] = "ok"


HEARD = Heard()


@post(
    "/callbacks/{backend:str}",
    status_code=200,
    opt=PUBLIC,
    request_max_body_size=MAX_BODY_BYTES,
    operation_id="take_callback",
    summary="An agency's system tells of something",
    description="Each in its own form, proven in its own way. The answer is the same for news, for what was told "
    "before and for what is nothing of ours.",
    tags=["callbacks"],
    responses=problems("not_found", "callback_not_proven", "callback_unreadable", "body_too_large", public=True),
)
async def take_callback(backend: BackendName, request: Request[Any, Any, Any]) -> Heard:
    """Whoever is not proven learns nothing, and nothing of what they sent is looked at."""
    known: dict[str, Callbacks] = request.app.state["callbacks"]
    if backend not in known:
        raise NotFound
    incoming = Incoming(
        dict(request.query_params.items()),
        {name.lower(): value for name, value in request.headers.items()},
        await request.body(),
        utc_now(),
    )
    try:
        tidings = known[backend].read(incoming)
        _refuse_unstorable(tidings)
    except NotProven as refused:
        log.warning("callback of %s refused: %s", backend, refused)
        raise Unauthenticated("callback_not_proven") from None
    except Unreadable as refused:
        log.warning("callback of %s not understood: %s", backend, refused)
        raise BadRequest("callback_unreadable") from None
    cases: CaseTools = request.app.state["cases"]
    teller = Teller(backend, cases.systems[backend].agency, cases.vault)
    async with cases.database.begin() as connection:
        new = await hear(connection, teller, tidings)
    if new < len(tidings):
        log.info("callback of %s: %d of %d told before", backend, len(tidings) - new, len(tidings))
    return HEARD


def _refuse_unstorable(tidings: Sequence[Tiding]) -> None:
    """Raises Unreadable."""
    try:
        refuse_texts(text for each in tidings for text in (each.reference, each.sign))
    except BadRequest:
        raise Unreadable("text that nothing can keep") from None


ROUTES: list[Any] = [take_callback, *OFFICER_ROUTES]

"""Answering a citizen's write: once per idempotency key, encoded once, with the case's ETag, waking its streams after commit."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.background_tasks import BackgroundTask
from sqlalchemy.ext.asyncio import AsyncSession

from app.cases.idempotency import (
    KEY_HEADER,
    REPLAYED_HEADER,
    FirstAnswer,
    KeyedRequest,
    fingerprint,
    first_answer,
    keep_answer,
    read_key,
)
from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.cases.views import case_view, etag
from app.jobs import driver_connection
from app.login.guards import Caller
from app.texts import language_of

Work = Callable[[], Awaitable[FirstAnswer]]
_JSON = "application/json"


async def answer_once(
    request: Request[Any, Any, Any], session: AsyncSession, caller: Caller, tools: CaseTools, work: Work
) -> Response[Any]:
    """Do `work` unless this key's answer is known. The key may be left out where the route does not demand it."""
    key = read_key(request.headers.get(KEY_HEADER), required=False)
    if key is None:
        return _response(await work())
    body = await request.body()
    keyed = KeyedRequest(caller.id, key, fingerprint(request.method, request.url.path, body))
    connection = await driver_connection(session)
    known = await first_answer(connection, keyed, tools.vault)
    if known is not None:
        return _response(known, replayed=True)
    answer = await work()
    await keep_answer(connection, keyed, answer, tools.vault)
    return _response(answer)


def case_answer(request: Request[Any, Any, Any], row: Mapping[str, Any], tools: CaseTools, status: int) -> FirstAnswer:
    """A changed case as its citizen sees it."""
    view = case_view(row, tools.catalog, language_of(request.headers.get("accept-language")))
    return FirstAnswer(
        status, msgspec.json.encode(view), {"ETag": etag(row["revision"]), "Location": view.links["self"]}
    )


def waking(response: Response[Any], case_id: Any, tools: CaseTools) -> Response[Any]:
    """The response, with the case's streams woken once it is sent: by then the transaction has committed."""
    response.background = BackgroundTask(tools.valkey.publish, CHANNEL, str(case_id).encode())
    return response


def _response(answer: FirstAnswer, *, replayed: bool = False) -> Response[Any]:
    headers = dict(answer.headers)
    if replayed:
        headers[REPLAYED_HEADER] = "true"
    return Response(answer.body, status_code=answer.status, media_type=_JSON, headers=headers)

"""Answering a citizen's write: once per idempotency key, encoded once, waking the case's streams after the commit."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from litestar.background_tasks import BackgroundTask

from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.cases.views import case_view, etag
from app.database import Connection
from app.headers import header
from app.idempotency import (
    KEY_HEADER,
    FirstAnswer,
    KeyedRequest,
    answered,
    fingerprint,
    first_answer,
    keep_answer,
    read_key,
)
from app.login.guards import Caller, CitizenRequest
from app.texts import Language, language_of

Work = Callable[[Connection], Awaitable[FirstAnswer]]


class Once(msgspec.Struct, frozen=True):
    """One citizen's write, in one transaction that has committed before the answer leaves."""

    request: CitizenRequest
    tools: CaseTools

    @property
    def caller(self) -> Caller:
        return self.request.user

    async def answer(self, work: Work, content: bytes | None = None) -> Response[Any]:
        """Do `work` unless this key's answer is known. The key may be left out where the route does not demand it.

        `content` is what makes two requests the same where the body's bytes do not: a multipart boundary is always new.
        """
        async with self.tools.database.begin() as connection:
            keyed, known = await self.keyed(connection, content)
            if known is not None:
                return answered(known, replayed=True)
            answer = await work(connection)
            if keyed is not None:
                await keep_answer(connection, keyed, answer, self.tools.vault)
        return answered(answer)

    async def keyed(
        self, connection: Connection, content: bytes | None = None
    ) -> tuple[KeyedRequest | None, FirstAnswer | None]:
        """The request under its key, None where it has none, and the key's first answer where there is one."""
        key = read_key(self.request.headers.get(KEY_HEADER), required=False)
        if key is None:
            return None, None
        keyed = await self.under(key, content)
        return keyed, await first_answer(connection, keyed, self.tools.vault)

    async def under(self, key: str, content: bytes | None = None) -> KeyedRequest:
        """The request under this key of its citizen."""
        same = await self.request.body() if content is None else content
        # No header's key has a bar: nobody's own can be one of those who act for them.
        if (delegate := self.caller.acting) is not None:
            key = f"{delegate.delegation_id}|{key}"
        return KeyedRequest(self.caller.id, key, fingerprint(self.request.method, self.request.url.path, same))

    def told(self, row: Mapping[str, Any], status: int) -> FirstAnswer:
        """A changed case as its citizen sees it."""
        view = case_view(row, self.tools, language_asked(self.request))
        headers = {"ETag": etag(row["revision"]), "Location": view.links["self"]}
        return FirstAnswer(status, msgspec.json.encode(view), headers)

    def waking(self, response: Response[Any], case_id: UUID) -> Response[Any]:
        """The response, with the case's streams woken once it is sent: by then the transaction has committed."""
        response.background = BackgroundTask(self.tools.valkey.publish, CHANNEL, str(case_id).encode())
        return response


def once(request: CitizenRequest) -> Once:
    """This request's write. No dependency: resolving several of them costs more than the rest of a quick request."""
    return Once(request, request.app.state["cases"])


def language_asked(request: CitizenRequest) -> Language:
    return language_of(header(request.scope, b"accept-language"))

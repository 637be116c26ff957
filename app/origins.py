"""Pages of other origins that may read our answers: those the city names, and never with cookies (CORS).

Around everything that answers, refusals of an overloaded process too: a page that cannot read why shows no more than
"network error". Litestar's own stands inside of those, and puts `Vary: Origin` in the place of what a route said.
"""

from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.headers import header

_Headers = list[tuple[bytes, bytes]]

_SENT = (
    "Accept, Accept-Language, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, If-Range, "
    "Last-Event-ID, Range, X-Acting-For, X-Request-ID, traceparent, tracestate"
)
_TOLD = (
    "Content-Disposition, Content-Range, ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, "
    "Retry-After, WWW-Authenticate, X-Request-ID"
)
_PREFLIGHT: _Headers = [
    (b"access-control-allow-methods", b"GET, POST, PATCH, PUT, DELETE"),
    (b"access-control-allow-headers", _SENT.encode()),
    (b"access-control-max-age", b"600"),
]
# A line of its own, beside whatever a route's answer varies by.
_VARIES = (b"vary", b"Origin")


class Origins:
    """Wraps the application. `allowed`: the setting, origins with commas between; `*` is every one."""

    def __init__(self, app: ASGIApp, allowed: str) -> None:
        self._app = app
        self._allowed = frozenset(each.strip().rstrip("/") for each in allowed.split(",") if each.strip())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        origin = header(scope, b"origin")
        may_read = origin is not None and not self._allowed.isdisjoint((origin, "*"))
        told = [*_told_to(origin or ""), _VARIES] if may_read else [_VARIES]
        asks_first = scope["method"] == HttpMethod.OPTIONS and header(scope, b"access-control-request-method")
        if may_read and asks_first:
            await send({"type": "http.response.start", "status": 204, "headers": [*told, *_PREFLIGHT]})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *told]
            await send(message)

        await self._app(scope, receive, send_named)


def _told_to(origin: str) -> _Headers:
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _TOLD.encode()),
    ]

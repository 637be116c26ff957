"""An address among officers' pages that names nothing, or takes no such method: the router refuses it before any page
of ours runs, and a browser still gets a page, in the officer's own frame where one is logged in."""

import logging
from typing import Any

import asyncpg
from litestar import Request, Response
from litestar.datastructures.headers import Accept
from litestar.enums import ScopeType
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import Scope
from sqlalchemy.exc import SQLAlchemyError

from app.errors import TooManyRequests
from app.login.guards import ASKING
from app.login.officers.browsers import SESSION
from app.login.officers.pages import START, on_page_error
from app.login.officers.sessions import living_by_cookie
from app.problems import PROBLEM_JSON, on_error
from app.telemetry import client_network

log = logging.getLogger("loket.officers")
# Looked up without a page's own limits: no more often than anybody needs who mistypes.
A_MINUTE, _MINUTE_S = 30, 60
_HTML = "text/html"
_OFFERED = [_HTML, "application/json", PROBLEM_JSON]
UNROUTED = (NotFoundException, MethodNotAllowedException)


async def look_who_asks(error: Exception, scope: Scope) -> None:
    """Litestar's hook before `on_unrouted`, which cannot ask the database itself."""
    if scope["type"] != ScopeType.HTTP or not isinstance(error, UNROUTED):
        return
    request: Request[Any, Any, Any] = Request(scope)
    if not _is_lost(request):
        return
    app, cookie = request.app, request.cookies.get(SESSION, "")
    if not cookie:
        return
    try:
        app.state["limiter"].hit_here(f"lost:{client_network(request)}", limit=A_MINUTE, period_s=_MINUTE_S)
        scope["state"][ASKING] = await living_by_cookie(app.state["gate"].database, cookie)
    except TooManyRequests:
        return
    except (TimeoutError, OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError):
        # What is not there is not there, whoever asks.
        log.warning("nobody could be looked up for a page that is not there")


def on_unrouted(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """A page where a browser asked for one of ours, a problem document where anybody else did."""
    if not _is_lost(request):
        return on_error(request, error)
    answer = on_page_error(request, error)
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


def _is_lost(request: Request[Any, Any, Any]) -> bool:
    path = request.scope["path"]
    if path != START and not path.startswith(f"{START}/"):
        return False
    return Accept(request.headers.get("accept") or _HTML).best_match(_OFFERED, default=PROBLEM_JSON) == _HTML

"""Composition root of the API: the product's parts, found routes, Litestar. Nobody imports it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.enums import HttpMethod
from litestar.types import ASGIApp
from sqlalchemy.ext.asyncio import AsyncSession

from app.asking import SERVICE, acting, as_agency, as_citizen, as_delegate, asks, at_desk
from app.assembly import Product, build, open_tracing
from app.catalog.sync import sync
from app.consents.wordings import keep_wordings
from app.database import AWAY
from app.delegations.door import Delegations
from app.discovery import home_parts, navigation, route_handlers
from app.docs.contract import openapi_config
from app.errors import TooManyRequests
from app.external import words_for
from app.headers import header
from app.heads import Heads
from app.keyring.standing import require_standing_keys
from app.limits import Allowance
from app.login.guards import DEPENDENCIES, Caller, Officer, guard
from app.login.officers.door import Door
from app.login.officers.lost import UNROUTED, look_who_asks, on_unrouted
from app.origins import Origins
from app.pooling import wait_for_own_connections
from app.problems import StrictRequest, on_error
from app.roles import warn_of_one_role
from app.settings import Settings, SettingsError
from app.shedding import Shedding
from app.storable import refuse_address
from app.telemetry import Telemetry, client_network, trusted_networks
from app.texts import Language, language_of
from app.tracing import Tracing

log = logging.getLogger("loket")

VERSION = "0.1.0"
MAX_BODY_BYTES = 256 * 1024
# Ordinary use never comes near; one device or address that does waits a little.
PER_SESSION = 600
PER_ADDRESS = 1200
WINDOW_S = 60
# What an officer's routes ask for.
_AT_DESK = ("officer", "officer_page", "visitor_page")


def create_app(settings: Settings) -> Litestar:
    """The API for one process. Raises SettingsError or ManifestError before anything is served."""
    product = build(settings, "api")
    tracing = open_tracing(settings, "api")
    app = Litestar(
        route_handlers=route_handlers(),
        dependencies=_dependencies(product),
        before_request=admit,
        lifespan=[_lifespan(product, tracing)],
        exception_handlers={Exception: on_error, **dict.fromkeys(UNROUTED, on_unrouted)},
        after_exception=[look_who_asks],
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=openapi_config(settings.issuer, VERSION),
        logging_config=None,
    )
    app.state["gate"] = product.gate
    app.state["officer_door"] = Door(product.gate)
    app.state["delegations"] = Delegations(product.gate, app.state["officer_door"])
    app.state["catalog"] = product.catalog
    app.state["navigation"] = navigation()
    app.state["cases"] = product.cases
    app.state["callbacks"] = dict(product.found.callbacks)
    app.state["modules"] = product.found.modules
    app.state["home"] = home_parts(product.found, product.cases)
    app.state["limiter"] = product.limiter
    # Ports by their modules' names, for handlers too hot for dependencies.
    app.state.update({name: module.port for name, module in product.found.modules.items()})
    app.state["trusted_proxies"] = trusted_networks(settings.trusted_proxies)
    # Outside of everything, so that what no route answers is counted, headed and logged as well.
    inner: ASGIApp = Shedding(app.asgi_handler)
    if settings.cors_origins:
        inner = Origins(inner, settings.cors_origins)
    app.asgi_handler = Heads(Telemetry(inner, settings, tracing))
    return app


async def admit(connection: Request[Any, Any, Any]) -> Response[None] | None:
    """Who may come in, and how often: a caller is counted by session, everybody else by address.

    Before the body is read, as Litestar's guards are; but those get a copy of the whole handler each, for a tenth of a
    light request's time.
    """
    refuse_address(connection.scope)
    asks_methods = connection.method == HttpMethod.OPTIONS
    at_desk.set(connection.route_handler.opt.get("permission") in _AT_DESK)
    if not asks_methods:
        await guard(connection, connection.route_handler)
    caller = connection.scope.get("user")
    asks.set(_asker(caller))
    if isinstance(caller, Caller) and caller.acting is not None:
        acting.set(caller.acting)
        connection.scope["state"]["acting"] = caller.acting
    if isinstance(caller, Caller | Officer):
        key, limit = f"session:{caller.session_id}", PER_SESSION
    else:
        key, limit = f"address:{client_network(connection)}", PER_ADDRESS
    told = connection.scope["state"]
    try:
        told["allowance"] = connection.app.state["limiter"].hit_here(key, limit=limit, period_s=WINDOW_S)
    except TooManyRequests as refusal:
        told["allowance"] = Allowance(limit, 0, refusal.retry_after_s or WINDOW_S, WINDOW_S)
        raise
    return _methods_of(connection) if asks_methods else None


def _asker(caller: object) -> str:
    """For whom the request's statements are asked: a public route's for the product, which looks for the person."""
    if isinstance(caller, Caller):
        return as_delegate(caller.acting) if caller.acting else as_citizen(caller.id)
    return as_agency(caller.agency) if isinstance(caller, Officer) else SERVICE


def _methods_of(connection: Request[Any, Any, Any]) -> Response[None]:
    """Litestar's own answer to OPTIONS names only the methods that its path's first handler has."""
    place = connection.scope["path_template"]
    found = {method for route in connection.app.routes if route.path_format == place for method in route.methods}
    found |= {"HEAD"} if "GET" in found else set()
    return Response(None, status_code=204, headers={"Allow": ", ".join(sorted(found))})


def provide_language(request: Request[Any, Any, Any]) -> Language:
    return language_of(header(request.scope, b"accept-language"))


def _dependencies(product: Product) -> dict[str, Provide]:
    async def session() -> AsyncIterator[AsyncSession]:
        async with product.database.transaction() as opened:
            yield opened

    given: dict[str, object] = {
        "database": product.database,
        "vault": product.vault,
        "valkey": product.valkey,
        "config": product.settings,
        "catalog": product.catalog,
        "limiter": product.limiter,
        "cases": product.cases,
        "reads": product.cases.reads,
        "channels": product.found.channels,
        **{name: module.port for name, module in product.found.modules.items()},
        **product.found.ports,
    }
    return {
        "session": Provide(session),
        "language": Provide(provide_language, sync_to_thread=False),
        **DEPENDENCIES,
        **{name: _constant(value) for name, value in given.items()},
    }


def _constant(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


def _lifespan(product: Product, tracing: Tracing | None) -> Any:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        try:
            await wait_for_own_connections(product.database)
        except AWAY as error:
            log.error("%s", words_for(error, product.settings) or type(error).__name__)
            raise
        await _require_keys(product)
        async with product.database.transaction() as session:
            await sync(session, product.catalog)
        async with product.database.begin() as connection:
            await keep_wordings(connection, product.catalog)
        if not product.settings.is_demo:
            await warn_of_one_role(product.database)
        await product.gate.open()
        await product.valkey.start()
        await product.backends.controls.open()
        try:
            yield
        finally:
            await product.gate.close()
            await product.close()
            if tracing is not None:
                await asyncio.to_thread(tracing.close)

    return lifespan


async def _require_keys(product: Product) -> None:
    """Raises SettingsError, in words that are not lost among the server's own."""
    try:
        await require_standing_keys(product.database, product.vault)
    except SettingsError as refusal:
        log.error("%s", refusal)
        raise

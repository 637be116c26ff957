"""HTTP of logging in by national identity: out by the browser, back to the app, and tokens for a code of one use."""

from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect

from app.errors import BadRequest, NotFound
from app.login.answers import tokens_of
from app.login.devices import coarse_network
from app.login.gate import Gate
from app.login.guards import CITIZEN, PUBLIC, Caller
from app.login.limits import count
from app.login.national.arriving import Device, Exchange, join, log_in
from app.login.national.journeys import JOURNEY_S, Came, Wish, begin, come_back
from app.login.national.schemas import (
    AppRedirect,
    AppState,
    Challenge,
    ExchangeRequest,
    LoginRequest,
    Provider,
    Providers,
    Returned,
    ReturnedState,
)
from app.login.port import NationalPort
from app.login.schemas import PublicKey, PublicKeys, Tokens
from app.problems import problems
from app.settings import Settings
from app.telemetry import client_address, client_network
from app.texts import Language

AnyRequest = Request[Any, Any, Any]


@get(
    "/v1/login/providers",
    opt=PUBLIC,
    operation_id="list_login_providers",
    summary="National identities that one can log in with",
    tags=["login"],
    responses=problems(public=True),
)
async def list_providers(gate: NamedDependency[Gate], login_national: NamedDependency[NationalPort]) -> Providers:
    port = login_national
    return Providers([Provider(port.provider, port.title, f"{gate.issuer}/v1/login/{port.provider}/start")])


@get(
    "/v1/login/{provider:str}/start",
    opt=PUBLIC,
    status_code=303,
    operation_id="start_national_login",
    summary="Send the browser to the provider; to be opened in a browser, by an app that waits at `redirect_uri`",
    tags=["login"],
    response_description="To the provider",
    responses=problems("not_found", "login_redirect_unknown", "agency_unavailable", public=True),
)
async def start(
    provider: FromPath[str],
    request: AnyRequest,
    gate: NamedDependency[Gate],
    config: NamedDependency[Settings],
    login_national: NamedDependency[NationalPort],
    language: NamedDependency[Language],
    redirect_uri: AppRedirect,
    code_challenge: Challenge,
    app_state: AppState = None,
) -> Redirect:
    _known(login_national, provider)
    await count(gate.limiter, "national", {"address": client_network(request)})
    if redirect_uri not in config.app_redirects:
        raise BadRequest("login_redirect_unknown")
    begun = await begin(gate, login_national, Wish(redirect_uri, app_state or "", code_challenge, language))
    answer = Redirect(begun.address, status_code=303)
    answer.cookies = [_cookie(gate.issuer, begun.browser_token, JOURNEY_S)]
    return answer


@get(
    "/v1/login/{provider:str}/callback",
    opt=PUBLIC,
    status_code=303,
    operation_id="finish_national_login",
    summary="Where the provider sends the browser back to",
    description="Leads on to the app, with `code` for `/v1/login/{provider}/tokens`, or with `error`: `access_denied`, "
    "`identity_refused`, `temporarily_unavailable`.",
    tags=["login"],
    response_description="To the app",
    responses=problems("not_found", "national_login_unknown", public=True),
)
async def callback(
    provider: FromPath[str],
    request: AnyRequest,
    gate: NamedDependency[Gate],
    login_national: NamedDependency[NationalPort],
    our_state: ReturnedState = None,
    code: Returned = None,
    iss: Returned = None,
    error: Returned = None,
) -> Redirect:
    _known(login_national, provider)
    browser_token = request.cookies.get(_cookie_name(gate.issuer), "")
    came = Came(our_state or "", code or "", iss, error or "", browser_token)
    answer = Redirect(await come_back(gate, login_national, came), status_code=303)
    answer.headers["Cache-Control"] = "no-store"
    answer.cookies = [_cookie(gate.issuer, "", 0)]
    return answer


@post(
    "/v1/login/{provider:str}/tokens",
    opt=PUBLIC,
    operation_id="get_national_tokens",
    summary="Tokens for the code that came to the app",
    tags=["login"],
    response_description="Tokens for this device, at level 3",
    responses=problems(
        "not_found", "account_unproven", "identity_other_person", 413, 415, 422, "exchange_code_invalid", public=True
    ),
)
async def get_national_tokens(
    provider: FromPath[str],
    data: JSONBody[LoginRequest],
    request: AnyRequest,
    gate: NamedDependency[Gate],
    login_national: NamedDependency[NationalPort],
    language: NamedDependency[Language],
) -> Tokens:
    _known(login_national, provider)
    await count(gate.limiter, "national", {"address": client_network(request)})
    brought = Exchange(data.code, data.code_verifier, _device(request, data), language, data.claim)
    return tokens_of(gate, await log_in(gate, login_national, brought))


@post(
    "/v1/me/national-identity",
    opt=CITIZEN,
    operation_id="connect_national_identity",
    summary="Connect my account with my national identity",
    description="With the code that came to the app. An account that nothing was proven of becomes one with the "
    "account of the proven NIK: cases and messages of both are then in one. Ends this session and begins a new one.",
    tags=["me"],
    response_description="Tokens for this device, at level 3",
    responses=problems("account_unproven", "identity_other_person", 413, 415, 422, "exchange_code_invalid"),
)
async def connect(
    data: JSONBody[ExchangeRequest],
    request: AnyRequest,
    caller: NamedDependency[Caller],
    gate: NamedDependency[Gate],
    login_national: NamedDependency[NationalPort],
    language: NamedDependency[Language],
) -> Tokens:
    brought = Exchange(data.code, data.code_verifier, _device(request, data), language)
    return tokens_of(gate, await join(gate, login_national, caller, brought))


@get(
    "/v1/login/{provider:str}/keys",
    opt=PUBLIC,
    operation_id="get_keys_for_provider",
    summary="The keys that we prove ourselves by at a provider",
    tags=["login"],
    responses=problems("not_found", public=True),
)
async def get_our_keys(provider: FromPath[str], login_national: NamedDependency[NationalPort]) -> PublicKeys:
    _known(login_national, provider)
    return PublicKeys([msgspec.convert(key, PublicKey) for key in login_national.public_keys])


def _device(request: AnyRequest, data: ExchangeRequest) -> Device:
    return Device(data.device_name, coarse_network(client_address(request)))


def _known(port: NationalPort, provider: str) -> None:
    if provider != port.provider:
        raise NotFound


def _cookie_name(issuer: str) -> str:
    return "__Host-loket-national" if issuer.startswith("https://") else "loket-national"


def _cookie(issuer: str, value: str, lasts_s: int) -> Cookie:
    """Lax: it comes along when the provider sends the browser back, and with nothing another site posts."""
    secure = issuer.startswith("https://")
    name = _cookie_name(issuer)
    return Cookie(name, value=value, path="/", max_age=lasts_s, secure=secure, httponly=True, samesite="lax")


ROUTES = [list_providers, start, callback, get_national_tokens, connect, get_our_keys]

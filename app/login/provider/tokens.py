"""HTTP between us and a client's server: tokens, introspection, revocation, and who the citizen is."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record
from app.database import Database
from app.login.gate import Gate
from app.login.guards import PUBLIC
from app.login.provider.authorizations import (
    ACCESS_TOKEN_S,
    Given,
    Living,
    Redemption,
    Refused,
    read_token,
    redeem,
    revoke_token,
    rotate,
)
from app.login.provider.authorize import body_text
from app.login.provider.client_proof import OAuthError, proven_client
from app.login.provider.clients import Registered, find_client
from app.login.provider.requests import Shown, read_form
from app.login.provider.signed import About, id_token
from app.login.provider.subjects import Claims, read_claims, session_name, subject, told

AnyRequest = Request[Any, Any, Any]
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_LONGEST_TOKEN = 512


class TokenAnswer(msgspec.Struct, omit_defaults=True):
    """RFC 6749, 5.1, with the id token of OpenID Connect."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    id_token: str
    refresh_token: str | None = None


class TokenState(msgspec.Struct, omit_defaults=True):
    """RFC 7662, 2.2: of what does not count nothing is told but that."""

    active: bool
    client_id: str | None = None
    sub: str | None = None
    scope: str | None = None
    token_type: str | None = None
    iss: str | None = None
    aud: str | None = None
    iat: int | None = None
    exp: int | None = None
    acr: str | None = None
    sid: str | None = None


def on_oauth_error(_: AnyRequest, error: OAuthError) -> Response[bytes]:
    """RFC 6749, 5.2."""
    body = msgspec.json.encode({"error": error.error, "error_description": error.description})
    headers = dict(_NO_STORE)
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="loket", charset="UTF-8"'
    return Response(body, status_code=error.status, media_type="application/json", headers=headers)


_HANDLERS: Any = {OAuthError: on_oauth_error}


@post("/oauth/token", opt=PUBLIC, include_in_schema=False, status_code=200, exception_handlers=_HANDLERS)
async def get_tokens(
    request: AnyRequest, gate: NamedDependency[Gate], database: NamedDependency[Database]
) -> Response[bytes]:
    form = await _form(request)
    # Two transactions: a proof is used up, and a code spent, also where the answer is no.
    async with database.transaction() as session:
        client = await _client(session, request, gate, form)
    async with database.transaction() as session:
        outcome = await _exchange(session, gate, client, form)
    if isinstance(outcome, Refused):
        raise OAuthError(outcome.error, outcome.description)
    return _json(_tokens(gate, client, outcome))


@post("/oauth/introspect", opt=PUBLIC, include_in_schema=False, status_code=200, exception_handlers=_HANDLERS)
async def introspect(
    request: AnyRequest, gate: NamedDependency[Gate], database: NamedDependency[Database]
) -> Response[bytes]:
    form = await _form(request)
    async with database.transaction() as session:
        client = await _client(session, request, gate, form)
        found = await read_token(session, _token_of(form))
    # Another client's token is none of its business, nor is whether there is one.
    if found is None or found.client_id != client.id:
        return _json(TokenState(active=False))
    return _json(_state(gate, client, found))


@post("/oauth/revoke", opt=PUBLIC, include_in_schema=False, status_code=200, exception_handlers=_HANDLERS)
async def revoke(
    request: AnyRequest, gate: NamedDependency[Gate], database: NamedDependency[Database]
) -> Response[bytes]:
    form = await _form(request)
    async with database.transaction() as session:
        client = await _client(session, request, gate, form)
        await revoke_token(session, client, _token_of(form))
    return Response(b"", status_code=200, headers=_NO_STORE)


@get("/oauth/userinfo", opt=PUBLIC, include_in_schema=False)
async def get_userinfo(
    request: AnyRequest, gate: NamedDependency[Gate], database: NamedDependency[Database]
) -> Response[bytes]:
    return await _userinfo(request, gate, database)


@post("/oauth/userinfo", opt=PUBLIC, include_in_schema=False, status_code=200)
async def post_userinfo(
    request: AnyRequest, gate: NamedDependency[Gate], database: NamedDependency[Database]
) -> Response[bytes]:
    return await _userinfo(request, gate, database)


async def _exchange(session: AsyncSession, gate: Gate, client: Registered, form: Mapping[str, str]) -> Given | Refused:
    kind = form.get("grant_type")
    if kind == "authorization_code":
        wanted = {name: form.get(name, "") for name in ("code", "redirect_uri", "code_verifier")}
        if missing := [name for name, value in wanted.items() if not value]:
            raise OAuthError("invalid_request", f"{missing[0]} is missing")
        return await redeem(session, client, Redemption(**wanted))
    if kind == "refresh_token":
        if "refresh_token" not in form:
            raise OAuthError("invalid_request", "refresh_token is missing")
        return await rotate(session, gate.vault, client, form["refresh_token"], form.get("scope", "").split())
    raise OAuthError("unsupported_grant_type" if kind else "invalid_request", "grant_type is not offered")


def _tokens(gate: Gate, client: Registered, given: Given) -> TokenAnswer:
    found = given.authorization
    about = About(found.citizen_id, found.session_id, found.assurance_level, found.authenticated_at, given.nonce)
    return TokenAnswer(
        access_token=given.access_token,
        token_type="Bearer",  # noqa: S106 - the name of a scheme
        expires_in=ACCESS_TOKEN_S,
        scope=" ".join(given.scopes),
        id_token=id_token(gate, client, about),
        refresh_token=given.refresh_token,
    )


def _state(gate: Gate, client: Registered, found: Living) -> TokenState:
    return TokenState(
        active=True,
        client_id=client.id,
        sub=subject(gate.vault, client.sector, found.citizen_id),
        scope=" ".join(found.scopes),
        token_type="Bearer" if found.kind == "access" else "refresh_token",
        iss=gate.issuer,
        aud=client.id,
        iat=int(found.created_at.timestamp()),
        exp=int(found.expires_at.timestamp()),
        acr=str(found.assurance_level),
        sid=session_name(gate.vault, client.id, found.session_id),
    )


async def _userinfo(request: AnyRequest, gate: Gate, database: Database) -> Response[bytes]:
    """What the token's scopes let the client know, and the row that says it was told, in one transaction."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return _no_token("Bearer")
    async with database.transaction() as session:
        found = await read_token(session, token) if len(token) <= _LONGEST_TOKEN else None
        client = await find_client(session, found.client_id) if found and found.kind == "access" else None
        if found is None or client is None:
            return _no_token('Bearer error="invalid_token"')
        fields = told(found.scopes)
        claims = await read_claims(session, gate.vault, found.citizen_id, fields)
        await record(session, _read_entry(client, found, fields))
    sub = subject(gate.vault, client.sector, found.citizen_id)
    return _json(msgspec.convert({"sub": sub, **claims}, Claims))


def _read_entry(client: Registered, found: Living, fields: list[str]) -> AuditEntry:
    return AuditEntry(
        actor_kind="client",
        actor_id=client.id,
        action="citizen.read",
        subject_id=found.citizen_id,
        object_kind="citizen",
        object_id=str(found.citizen_id),
        purpose=client.purpose_id,
        legal_basis=client.legal_basis if "nik" in fields else "consent",
        fields=fields,
    )


async def _client(session: AsyncSession, request: AnyRequest, gate: Gate, form: Mapping[str, str]) -> Registered:
    # Clients aim a proof at us, at the token endpoint, or at the one they call (RFC 7523 and its successor differ).
    audiences = [gate.issuer, f"{gate.issuer}/oauth/token", f"{gate.issuer}{request.scope['path_template']}"]
    return await proven_client(session, request.headers.get("authorization", ""), form, audiences)


async def _form(request: AnyRequest) -> Mapping[str, str]:
    """Raises OAuthError."""
    if request.scope["query_string"]:
        raise OAuthError("invalid_request", "nothing is taken from the query")
    try:
        form, repeated = read_form(await body_text(request))
    except Shown:
        raise OAuthError("invalid_request", "the form cannot be read") from None
    if repeated:
        raise OAuthError("invalid_request", "a parameter is repeated")
    return form


def _token_of(form: Mapping[str, str]) -> str:
    """Raises OAuthError."""
    if "token" not in form:
        raise OAuthError("invalid_request", "token is missing")
    return form["token"][:_LONGEST_TOKEN]


def _json(answer: object) -> Response[bytes]:
    return Response(msgspec.json.encode(answer), media_type="application/json", headers=_NO_STORE)


def _no_token(challenge: str) -> Response[bytes]:
    body = msgspec.json.encode({"error": "invalid_token"})
    headers = {**_NO_STORE, "WWW-Authenticate": challenge}
    return Response(body, status_code=401, media_type="application/json", headers=headers)


TOKEN_ROUTES = [get_tokens, introspect, revoke, get_userinfo, post_userinfo]

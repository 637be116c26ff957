"""Agencies' applications: registering, removing, reading them; what an address of theirs must look like."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import jwt
import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.login.provider.models import AuthMethod, Client
from app.texts import Language

Scope = Literal["openid", "profile", "nik", "offline_access"]
SCOPES: tuple[Scope, ...] = ("openid", "profile", "nik", "offline_access")
# What a client may sign its proof with; never a shared secret's algorithms, never none.
ASSERTION_ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA")
_CLIENT_ID = re.compile(r"[a-z][a-z0-9-]{2,49}")
_LONGEST_URI = 500
_MOST_URIS = 10
_ODD = re.compile(r"[\x00-\x20\x7f-\uffff\\*<>\"'`{}|^]")


class ClientRefused(Exception):
    """A client cannot be registered; the message says why, for the person at the terminal."""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """What an agency asks for."""

    id: str
    name: str
    agency: str
    purpose_id: str
    purpose_en: str
    scopes: Sequence[str]
    redirect_uris: Sequence[str]
    post_logout_uris: Sequence[str] = ()
    backchannel_logout_uri: str = ""
    legal_basis: str = ""
    sector: str = ""
    public_keys: Sequence[Mapping[str, object]] = ()


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A client as requests know it."""

    id: str
    name: str
    agency: str
    purpose_id: str
    purpose_en: str
    legal_basis: str
    sector: str
    scopes: Sequence[str]
    redirect_uris: Sequence[str]
    post_logout_uris: Sequence[str]
    backchannel_logout_uri: str
    auth_method: AuthMethod
    secret_hash: bytes | None
    public_keys: Sequence[Mapping[str, Any]]

    def purpose(self, language: Language) -> str:
        return self.purpose_en if language == "en" else self.purpose_id


async def add_client(session: AsyncSession, asked: Application, *, demo: bool) -> str:
    """Register it; its secret, "" where it proves itself by keys of its own. Raises ClientRefused."""
    sector = _checked(asked, demo=demo)
    if await session.get(Client, asked.id) is not None:
        raise ClientRefused(f"{asked.id} is taken; a removed one keeps its name, which stands in the audit record")
    secret = "" if asked.public_keys else secrets.token_urlsafe(32)
    session.add(
        Client(
            **{name: getattr(asked, name) for name in ("id", "name", "agency", "purpose_id", "purpose_en")},
            legal_basis=asked.legal_basis,
            sector=sector,
            scopes=[scope for scope in SCOPES if scope in asked.scopes],
            redirect_uris=list(asked.redirect_uris),
            post_logout_uris=list(asked.post_logout_uris),
            backchannel_logout_uri=asked.backchannel_logout_uri,
            auth_method="private_key_jwt" if asked.public_keys else "client_secret_basic",
            secret_hash=hash_of(secret) if secret else None,
            public_keys=[dict(key) for key in asked.public_keys],
        )
    )
    await session.flush()
    return secret


async def list_clients(session: AsyncSession) -> Sequence[Client]:
    """Those that are not removed, by name."""
    return (await session.scalars(select(Client).where(Client.removed_at.is_(None)).order_by(Client.id))).all()


async def remove_client(session: AsyncSession, client_id: str) -> bool:
    """From now on nothing of it is accepted, tokens it holds included; False where there is none."""
    removed = await session.scalar(
        update(Client)
        .where(Client.id == client_id, Client.removed_at.is_(None))
        .values(removed_at=func.now())
        .returning(Client.id)
    )
    return removed is not None


async def find_client(session: AsyncSession, client_id: str) -> Registered | None:
    """One that may ask."""
    if not _CLIENT_ID.fullmatch(client_id):
        return None
    row = await session.scalar(select(Client).where(Client.id == client_id, Client.removed_at.is_(None)))
    return None if row is None else msgspec.convert(row, Registered, from_attributes=True)


def hash_of(secret: str) -> bytes:
    """256 random bits need no slow hash and no key."""
    return hashlib.sha256(secret.encode()).digest()


def _checked(asked: Application, *, demo: bool) -> str:
    """The sector. Raises ClientRefused."""
    if not _CLIENT_ID.fullmatch(asked.id):
        raise ClientRefused("the id is 3 to 50 small letters, digits and hyphens, a letter first")
    if not all(each.strip() for each in (asked.name, asked.agency, asked.purpose_id, asked.purpose_en)):
        raise ClientRefused("name, agency and purpose (in both languages) are shown to citizens: none may be empty")
    if "openid" not in asked.scopes or not set(asked.scopes) <= set(SCOPES):
        raise ClientRefused(f"scopes are openid, which every client has, and of {', '.join(SCOPES[1:])} what it needs")
    if "nik" in asked.scopes and not asked.legal_basis.strip():
        raise ClientRefused("the NIK is given only under a recorded legal basis: name it with --legal-basis")
    if not asked.redirect_uris or len(asked.redirect_uris) + len(asked.post_logout_uris) > _MOST_URIS:
        raise ClientRefused(f"at least one redirect address, and at most {_MOST_URIS} addresses")
    backchannel = [asked.backchannel_logout_uri] if asked.backchannel_logout_uri else []
    hosts = {_host_of(uri, demo=demo) for uri in (*asked.redirect_uris, *asked.post_logout_uris, *backchannel)}
    if "?" in asked.backchannel_logout_uri:
        raise ClientRefused("the back-channel address has no query")
    _check_keys(asked.public_keys)
    if asked.sector:
        return asked.sector
    redirect_hosts = {_host_of(uri, demo=demo) for uri in asked.redirect_uris}
    if len(redirect_hosts) > 1:
        raise ClientRefused(f"addresses on several hosts ({', '.join(sorted(hosts))}): say which is the --sector")
    return redirect_hosts.pop()


def _host_of(uri: str, *, demo: bool) -> str:
    """The host of an address that can be held against another letter by letter. Raises ClientRefused."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise ClientRefused(f"{uri[:80]!r} is no address") from None
    host = parts.hostname or ""
    is_own_machine = host in ("localhost", "127.0.0.1")
    if len(uri) > _LONGEST_URI or _ODD.search(uri) or not host:
        raise ClientRefused(f"{uri[:80]!r} is no address: no spaces, wildcards or letters that need encoding")
    if parts.scheme != "https" and not (demo and parts.scheme == "http" and is_own_machine):
        raise ClientRefused(f"{uri} must begin with https://")
    if "#" in uri or "@" in parts.netloc or "/../" in f"{parts.path}/" or "/./" in f"{parts.path}/":
        raise ClientRefused(f"{uri} has a fragment, a user name or dots in its path")
    if parts.netloc != (host if port is None else f"{host}:{port}"):
        raise ClientRefused(f"{uri}: write the host in small letters")
    return host


def _check_keys(keys: Sequence[Mapping[str, object]]) -> None:
    for key in keys:
        if "d" in key or key.get("kty") == "oct":
            raise ClientRefused("a private or shared key: give public keys only, and replace this one, it was shown")
        try:
            algorithm = jwt.PyJWK.from_dict(dict(key)).algorithm_name
        except jwt.PyJWTError as error:
            raise ClientRefused(f"a public key cannot be read: {type(error).__name__}") from None
        if algorithm not in ASSERTION_ALGORITHMS:
            raise ClientRefused(f"a key for {algorithm}: it must be for one of {', '.join(ASSERTION_ALGORITHMS)}")

"""Connections to an agency's system: which addresses may be spoken to, whom to trust, how much of an answer is held.

Private to app.agency_client.
"""

import errno
import socket
import ssl
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import SimpleNamespace

import aiohttp
from aiohttp import AddrInfoType, ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from aiohttp.abc import AbstractResolver
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from app import exchanges
from app.manifest import IntegrationManifest, OperationPolicy
from app.settings import BackendSettings, Reach, SettingsError

IDLE_CONNECTION_S = 15.0
DNS_KEPT_S = 60
# A small answer may unpack to any multiple of itself.
RATIO_FROM_BYTES = 64 * 1024
_GZIP, _DEFLATE = 31, 15
_NAT64 = ip_network("64:ff9b::/96")
# What may be public in IPv6: what is given out, and what stands for an address of IPv4, which is asked for itself.
# Python calls global what is merely not named as private: a translator within one's own network, sites' old addresses.
_PUBLIC_V6 = (ip_network("2000::/3"), _NAT64, ip_network("::ffff:0:0/96"))

Address = IPv4Address | IPv6Address


class Attempt:
    """Whether a byte of an unsafe call may have left."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


class TooLarge(Exception):
    """An answer is more than its policy allows."""


class AddressRefused(OSError):
    """A name led to an address that may not be spoken to."""


class Destinations:
    """The addresses that a backend may have, whatever its name resolves to."""

    def __init__(self, reach: Reach) -> None:
        self._networks = tuple(ip_network(each) for each in reach.networks)
        self._anywhere = reach.anywhere

    def allow(self, address: str) -> bool:
        """Only in its networks where some are named; else whatever is public, and in the demo what is private too."""
        asked = ip_address(address.partition("%")[0])
        return all(self._allows(each) for each in (asked, *_inside(asked)))

    def _allows(self, asked: Address) -> bool:
        if self._networks:
            return any(asked in network for network in self._networks)
        if asked.is_unspecified or asked.is_multicast or asked.is_link_local:
            return False
        may_be_public = asked.version == 4 or any(asked in network for network in _PUBLIC_V6)
        return self._anywhere or (asked.is_global and may_be_public)

    def open_socket(self, place: AddrInfoType) -> socket.socket:
        """For the address that is connected to next, after all resolving: there is nothing left to change it.

        Raises AddressRefused.
        """
        family, kind, protocol, _, address = place
        if not self.allow(str(address[0])):
            raise AddressRefused(errno.EACCES, "address not allowed")
        return socket.socket(family, kind, protocol)


class Connections:
    """Sessions to one backend, opened on the running loop by the first call: kept ones for safe calls, fresh ones for
    those that must not be sent twice."""

    def __init__(
        self, manifest: IntegrationManifest, backend: BackendSettings, resolver: AbstractResolver | None = None
    ) -> None:
        self._limit = manifest.concurrency
        self._resolver = resolver
        self._destinations = Destinations(backend.reach)
        self._trust = trust(backend.reach.ca_file) if backend.url.startswith("https:") else None
        self._safe: aiohttp.ClientSession | None = None
        self._unsafe: aiohttp.ClientSession | None = None

    def session(self, *, safe: bool) -> aiohttp.ClientSession:
        if safe:
            if self._safe is None:
                self._safe = self._open(keepalive_timeout=IDLE_CONNECTION_S)
            return self._safe
        if self._unsafe is None:
            # A kept connection that the agency closes as we write would leave every such write unknown: each unsafe
            # call gets a fresh one.
            self._unsafe = self._open((_send_once,), [_tracing()], force_close=True)
        return self._unsafe

    async def close(self) -> None:
        """Close every connection. A later call opens them again."""
        for session in (self._safe, self._unsafe):
            if session is not None:
                await session.close()
        self._safe = self._unsafe = None

    def _open(
        self,
        middlewares: Sequence[ClientMiddlewareType] = (),
        trace_configs: list[aiohttp.TraceConfig] | None = None,
        *,
        force_close: bool = False,
        keepalive_timeout: float | None = None,
    ) -> aiohttp.ClientSession:
        how: dict[str, object] = {"force_close": True} if force_close else {"keepalive_timeout": keepalive_timeout}
        connector = _Connector(
            limit=self._limit,
            ttl_dns_cache=DNS_KEPT_S,
            resolver=self._resolver,
            socket_factory=self._destinations.open_socket,
            ssl=self._trust or True,
            **how,  # type: ignore[arg-type] # one of the two, as aiohttp wants it
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # a cookie kept here would be one citizen's session used for another
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the one deadline is around the call
            trust_env=False,
            # Unpacked here, by our own measure: a packed piece of 64 kB can hold 64 MB.
            auto_decompress=False,
            headers={"User-Agent": "satu-loket", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"},
            middlewares=middlewares,
            trace_configs=trace_configs,
        )


class _Connector(aiohttp.TCPConnector):
    """A kept connection on which something came that nobody asked for is not used again: aiohttp would take it for the
    answer to whatever is asked there next, which is about somebody else."""

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (kept := await super()._get(key, traces)) is not None:
            if kept.protocol is not None and not kept.protocol.should_close:
                return kept
            kept.close()
        return None


@lru_cache(maxsize=64)
def trust(ca_file: str) -> ssl.SSLContext:
    """Whom to believe: the machine's authorities, or the one in `ca_file` alone. Raises SettingsError."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"{ca_file}: no certificates can be read from it ({type(error).__name__})") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def read_body(response: ClientResponse, policy: OperationPolicy) -> bytes:
    """The body, unpacked. Raises TooLarge before more than the policy allows is held, ClientPayloadError where it
    cannot be unpacked or is cut off."""
    limit = policy.max_response_bytes
    if (response.content_length or 0) > limit:
        raise TooLarge
    packing = response.headers.get("Content-Encoding", "")
    unpacker = _Unpacker(packing, policy) if packing not in ("", "identity") else None
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        for piece in (chunk,) if unpacker is None else unpacker.pieces(chunk):
            size += len(piece)
            if size > limit:
                raise TooLarge
            chunks.append(piece)
    if unpacker is not None:
        unpacker.end()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class _Unpacker:
    """Unpacks piece by piece, never more than is allowed."""

    MOST_MEMBERS = 16

    def __init__(self, packing: str, policy: OperationPolicy) -> None:
        kinds = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _DEFLATE}
        if packing.lower() not in kinds:
            raise aiohttp.ClientPayloadError("packed in a way that was not asked for")
        self._kind = kinds[packing.lower()]
        self._zlib = zlib.decompressobj(self._kind)
        self._policy = policy
        self._members = 1
        self._came = self._held = 0

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Raises TooLarge, ClientPayloadError."""
        self._came += len(chunk)
        while chunk:
            if self._zlib.eof:
                self._next_member()
            room = self._policy.max_response_bytes - self._held + 1
            try:
                piece = self._zlib.decompress(chunk, room)
            except zlib.error:
                raise aiohttp.ClientPayloadError("cannot be unpacked") from None
            self._held += len(piece)
            if len(piece) >= room or self._held > max(RATIO_FROM_BYTES, self._came * self._policy.max_ratio):
                raise TooLarge
            yield piece
            chunk = self._zlib.unused_data if self._zlib.eof else b""

    def end(self) -> None:
        """Raises ClientPayloadError where the end is missing."""
        if self._came and not self._zlib.eof:
            raise aiohttp.ClientPayloadError("packed answer cut off")

    def _next_member(self) -> None:
        self._members += 1
        if self._members > self.MOST_MEMBERS:
            raise TooLarge
        self._zlib = zlib.decompressobj(self._kind)


class _TooLate(aiohttp.ClientError):
    """The process was stopped so long that another may have taken the matter over: an unsafe call does not leave."""


class _Cut(aiohttp.ClientError):
    """A connection broke under an unsafe call. No subclass of what aiohttp sends again by itself."""


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """aiohttp sends GET, PUT and DELETE again on a broken connection; an unsafe operation may be any of them."""
    if exchanges.is_over():
        raise _TooLate
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Cut(type(error).__name__) from None


def _tracing() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(_note_sent)
    return config


async def _note_sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.sent = True


def _inside(asked: Address) -> Iterator[Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(asked, IPv6Address):
        if asked.ipv4_mapped is not None:
            yield asked.ipv4_mapped
        if asked.sixtofour is not None:
            yield asked.sixtofour
        if asked.teredo is not None:
            yield from asked.teredo
        if asked in _NAT64:
            yield IPv4Address(int(asked) & 0xFFFFFFFF)

"""F05: a certificate that is wrong in any way, or a TLS too old, gets not one byte of a request."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app.errors import AgencyUnavailable
from app.settings import Reach
from tests.harness.authority import Authority
from tests.harness.calling import READ, WRITE, Wish, calling_from
from tests.harness.listener import Server, answering, listening

Serve = Callable[[Authority, Path], ssl.SSLContext]


def wrong_host(authority: Authority, _folder: Path) -> ssl.SSLContext:
    return authority.server("127.0.0.2")


def expired(authority: Authority, _folder: Path) -> ssl.SSLContext:
    return authority.server(ends=-timedelta(days=1))


def not_begun(authority: Authority, _folder: Path) -> ssl.SSLContext:
    return authority.server(begins=timedelta(days=1), ends=timedelta(days=2))


def another_authority(_authority: Authority, folder: Path) -> ssl.SSLContext:
    """A certificate that is good in every way but who signed it."""
    return Authority(folder).server()


def self_signed(authority: Authority, _folder: Path) -> ssl.SSLContext:
    return authority.server(self_signed=True)


def tls_1_0(authority: Authority, _folder: Path) -> ssl.SSLContext:
    return old_tls(authority, ssl.TLSVersion.TLSv1)


def tls_1_1(authority: Authority, _folder: Path) -> ssl.SSLContext:
    return old_tls(authority, ssl.TLSVersion.TLSv1_1)


def old_tls(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = authority.server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


async def tried(server: Server, ca_file: Path) -> None:
    wish = Wish(reach=Reach(ca_file=str(ca_file)))
    async with calling_from(f"https://127.0.0.1:{server.port}", wish=wish) as caller:
        for call in (READ, WRITE):
            with pytest.raises(AgencyUnavailable):
                await caller.client.call(call)


SERVES = [wrong_host, expired, not_begun, another_authority, self_signed, tls_1_0, tls_1_1]


@pytest.mark.parametrize("serve", SERVES)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_no_byte_of_a_request_leaves(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with listening(answering(), serve(authority, tmp_path)) as server:
        await tried(server, authority.ca_file)
        assert server.requests == []
        assert server.unfinished == b""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_such_an_old_server_does_serve_who_takes_it(version: ssl.TLSVersion, tmp_path: Path) -> None:
    """Else nothing is shown by its being refused."""
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = version
    async with listening(answering(), old_tls(authority, version)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        assert writer.get_extra_info("ssl_object").version() == version.name.replace("_1", ".1")
        writer.close()


async def test_a_private_authority_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with listening(answering(), authority.server()) as server:
        wish = Wish(reach=Reach(ca_file=str(authority.ca_file)))
        async with calling_from(f"https://127.0.0.1:{server.port}", wish=wish) as caller:
            for call in (READ, WRITE):
                assert (await caller.client.call(call)).status == 200
        assert len(server.requests) == 2


async def test_and_nowhere_else(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with listening(answering(), authority.server()) as server:
        async with calling_from(f"https://127.0.0.1:{server.port}") as caller:
            with pytest.raises(AgencyUnavailable):
                await caller.client.call(READ)
        assert server.requests == []

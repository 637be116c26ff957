"""F05: a certificate that is wrong in any way, or a TLS too old, gets not one byte of a request."""

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


def another_authority(_authority: Authority, folder: Path) -> ssl.SSLContext:
    """A certificate that is good in every way but who signed it: to its holder it is self-signed."""
    return Authority(folder).server()


def tls_1_1(authority: Authority, _folder: Path) -> ssl.SSLContext:
    context = authority.server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


async def tried(server: Server, ca_file: Path) -> None:
    wish = Wish(reach=Reach(ca_file=str(ca_file)))
    async with calling_from(f"https://127.0.0.1:{server.port}", wish=wish) as caller:
        for call in (READ, WRITE):
            with pytest.raises(AgencyUnavailable):
                await caller.client.call(call)


@pytest.mark.parametrize("serve", [wrong_host, expired, another_authority, tls_1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_no_byte_of_a_request_leaves(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with listening(answering(), serve(authority, tmp_path)) as server:
        await tried(server, authority.ca_file)
        assert server.requests == []


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

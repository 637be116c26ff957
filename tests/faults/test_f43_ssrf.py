"""F43: whatever an address, a name, a redirect or a path says, nothing inside is reached that was not allowed."""

import asyncio
import socket
from collections.abc import Sequence

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from app.agency_client import Call
from app.agency_wire import Destinations
from app.errors import AgencyError
from app.manifest import OperationPolicy
from app.settings import Reach, Settings, SettingsError, backend_reach
from tests.harness.calling import READ, Wish, calling_from
from tests.harness.listener import Server, answering, listening

PUBLIC_ONLY = Reach(anywhere=False)
QUICK = {"read": OperationPolicy(safe=True, budget_s=2.0, retries=0)}
# PORT is the inside server's.
ADDRESSES = [
    "http://127.0.0.1:PORT",
    "https://127.0.0.1:PORT",
    "http://127.1:PORT",
    "http://127.0.1:PORT",
    "http://127.255.255.254:PORT",
    "http://0.0.0.0:PORT",
    "http://0:PORT",
    "http://2130706433:PORT",
    "http://0x7f000001:PORT",
    "http://0x7f.0.0.1:PORT",
    "http://0177.0.0.1:PORT",
    "http://017700000001:PORT",
    "http://localhost:PORT",
    "http://LOCALHOST:PORT",
    "http://localhost.:PORT",
    "http://127.0.0.1.:PORT",
    "http://[::1]:PORT",
    "http://[0:0:0:0:0:0:0:1]:PORT",
    "http://[::]:PORT",
    "http://[::ffff:127.0.0.1]:PORT",
    "http://[::ffff:7f00:1]:PORT",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT",
    "http://[64:ff9b::7f00:1]:PORT",
    "http://[2002:7f00:1::]:PORT",
    "http://[::127.0.0.1]:PORT",
    "http://\N{CIRCLED DIGIT ONE}\N{CIRCLED DIGIT TWO}\N{CIRCLED DIGIT SEVEN}.0.0.1:PORT",
    "http://127\N{IDEOGRAPHIC FULL STOP}0\N{IDEOGRAPHIC FULL STOP}0\N{IDEOGRAPHIC FULL STOP}1:PORT",
    "http://\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO}\N{FULLWIDTH DIGIT SEVEN}.0.0.1:PORT",
    "http://agency.example@127.0.0.1:PORT",
    "http://agency.example:80@127.0.0.1:PORT",
    "http://127.0.0.1:PORT#@agency.example",
    "http://127.0.0.1:PORT?agency.example",
    "http://127.0.0.1:PORT/agency.example",
    "http://127.0.0.1:PORT\\@agency.example",
    "http://127.0.0.1%00.agency.example:PORT",
    "http://127.0.0.1\t:PORT",
    "http://127.0.0.1:PORT\r\nHost: agency.example",
    " http://127.0.0.1:PORT",
    "http:127.0.0.1:PORT",
    "http:/127.0.0.1:PORT",
    "http:///127.0.0.1:PORT",
    "//127.0.0.1:PORT",
    "127.0.0.1:PORT",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_GET",
    "dict://127.0.0.1:PORT/",
    "ftp://127.0.0.1:PORT/",
    "unix:///run/valkey.sock",
    "data:text/plain,hello",
    "javascript:alert(1)",
]
LOCATIONS = [
    "http://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT/",
    "//127.0.0.1:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://localhost:PORT/",
    "http://2130706433:PORT/",
    "http://agency.example@127.0.0.1:PORT/",
    "\\\\127.0.0.1:PORT\\x",
]
# Names that lead inside: at once, beside an address that may be, and only from the second look on.
REBINDING = {
    "inside": [["127.0.0.1"]],
    "mapped": [["::ffff:127.0.0.1"]],
    "beside": [["192.0.2.1", "127.0.0.1"], ["127.0.0.1", "192.0.2.1"]],
    "later": [["192.0.2.1"], ["127.0.0.1"], ["192.0.2.1"], ["127.0.0.1"]],
}


NEVER = [
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104 - refused, not listened on
    *("224.0.0.1", "ff02::1", "fe80::1", "fe80::1%eth0", "::", "::ffff:169.254.169.254"),
]
NOT_PUBLIC = [
    *("10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1"),
    *("fc00::1", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:db8::1"),
    *("64:ff9b:1::a00:1", "::10.0.0.1", "::ffff:0:a00:1", "fec0::1", "5f00::1"),
]


class Names(AbstractResolver):
    """A name server in another's hand: it answers differently every time."""

    def __init__(self, answers: Sequence[Sequence[str]]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self._answers[self.asked % len(self._answers)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        return


async def ask(url: str, wish: Wish) -> None:
    """Ask twice, as a name that changes its mind needs; whatever comes of it but an answer."""
    try:
        async with calling_from(url, wish=wish) as caller:
            for _ in range(2):
                with pytest.raises((AgencyError, aiohttp.InvalidURL, ValueError)):
                    await caller.client.call(READ)
                caller.client._breakers.clear()
    except ValueError:
        return


def test_there_are_enough_of_them() -> None:
    assert len(ADDRESSES) + len(LOCATIONS) + len(REBINDING) >= 60


@pytest.mark.parametrize("address", ADDRESSES)
async def test_no_address_leads_inside(address: str) -> None:
    async with listening(answering()) as inside:
        await ask(address.replace("PORT", str(inside.port)), Wish(reach=PUBLIC_ONLY, operations=QUICK))
        assert inside.connections == 0


@pytest.mark.parametrize("address", ADDRESSES)
def test_production_starts_with_none_of_them(address: str) -> None:
    """Plain http needs its networks named; what is no address at all is not started with either."""
    production = Settings(env="production")
    if address.startswith("https"):
        assert not Destinations(backend_reach("LOKET_X_", "https://127.0.0.1", "", "", production)).allow("127.0.0.1")
        return
    with pytest.raises(SettingsError, match="LOKET_X_"):
        backend_reach("LOKET_X_", address.replace("PORT", "80"), "", "", production)


@pytest.mark.parametrize("location", LOCATIONS)
async def test_no_redirect_leads_inside(location: str) -> None:
    async with listening(answering()) as inside:
        to = location.replace("PORT", str(inside.port))
        for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent", "200 OK"):
            leading = answering(status, headers=f"Location: {to}\r\nRefresh: 0; url={to}\r\nLink: <{to}>\r\n")
            async with listening(leading) as server, calling_from(f"http://127.0.0.1:{server.port}") as caller:
                await caller.client.call(READ)
                assert len(server.requests) == 1
        assert inside.connections == 0


@pytest.mark.parametrize("answers", REBINDING.values(), ids=REBINDING)
@pytest.mark.parametrize("networks", [(), ("192.0.2.0/24",)], ids=["public", "named"])
async def test_no_name_leads_inside(answers: Sequence[Sequence[str]], networks: tuple[str, ...]) -> None:
    async with listening(answering()) as inside:
        names = Names(answers)
        wish = Wish(reach=Reach(networks=networks, anywhere=False), operations=QUICK, resolver=names)
        await ask(f"http://agency.example:{inside.port}", wish)
        assert names.asked
        assert inside.connections == 0


@pytest.mark.parametrize(
    "path",
    ["//127.0.0.1:PORT/", "/@127.0.0.1:PORT/", "/\\127.0.0.1:PORT", "/http://127.0.0.1:PORT/"],
)
async def test_no_path_leads_away_from_the_backend(path: str) -> None:
    async with listening(answering()) as inside, listening(answering()) as server:
        async with calling_from(f"http://127.0.0.1:{server.port}/api") as caller:
            await caller.client.call(Call(operation="read", path=path.replace("PORT", str(inside.port))))
        assert inside.connections == 0
        assert server.requests[0].split()[1].startswith(b"/api/")


async def reached(server: Server, reach: Reach) -> bool:
    wish = Wish(reach=reach, operations=QUICK)
    async with calling_from(f"http://127.0.0.1:{server.port}", wish=wish) as caller:
        try:
            await caller.client.call(READ)
        except AgencyError as refused:
            # Anything else, as no answer in time, would show nothing.
            if "AddressRefused" not in refused.detail:
                raise
            return False
        return True


async def test_a_private_network_is_reached_where_it_is_named_and_nothing_else_then() -> None:
    async with listening(answering()) as server:
        assert await reached(server, Reach(networks=("127.0.0.0/8",), anywhere=False))
        assert not await reached(server, Reach(networks=("10.0.0.0/8",), anywhere=False))
        assert not await reached(server, Reach(networks=("10.0.0.0/8",)))
        assert not await reached(server, PUBLIC_ONLY)


@pytest.mark.parametrize("address", [*NOT_PUBLIC, *NEVER])
def test_what_is_not_public(address: str) -> None:
    assert not Destinations(PUBLIC_ONLY).allow(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "103.20.188.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_is(address: str) -> None:
    assert Destinations(PUBLIC_ONLY).allow(address)


@pytest.mark.parametrize("address", NEVER)
def test_what_even_the_demo_does_not_speak_to(address: str) -> None:
    assert not Destinations(Reach()).allow(address)


async def test_the_proxy_of_the_machine_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(answering()) as inside, listening(answering()) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{inside.port}")
        async with calling_from(f"http://127.0.0.1:{server.port}") as caller:
            await asyncio.gather(*(caller.client.call(READ) for _ in range(3)))
        assert (inside.connections, len(server.requests)) == (0, 3)

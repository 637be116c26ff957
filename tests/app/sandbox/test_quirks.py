"""The switches of a sandbox's quirks: told over its controls, all or nothing, as usual after a reset."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import aiohttp
import pytest
from aiohttp import web

from app.sandbox.client import HttpWorkbench, WorkbenchError
from app.sandbox.port import Effect, Route, Sandbox
from app.sandbox.server import build_app


class Greeter(Sandbox):
    """Greets, in one of two languages, politely or not."""

    name = "greeter"
    quirks: ClassVar[Mapping[str, Sequence[str]]] = {"language": ("id", "en"), "manner": ("polite", "curt")}

    def routes(self) -> Sequence[Route]:
        return [Route("greet", "GET", "/greeting", self._greet)]

    def apply(self, effect: Effect) -> None:
        """It remembers nothing."""

    def clear(self) -> None:
        """It has nothing to forget."""

    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        return []

    async def _greet(self, _request: web.Request) -> web.Response:
        return web.json_response({"language": self.quirk["language"], "manner": self.quirk["manner"]})


class Greeted:
    """The running greeter: its controls and what it says."""

    def __init__(self, bench: HttpWorkbench, url: str) -> None:
        self.bench = bench
        self._url = url

    async def says(self) -> list[str]:
        async with aiohttp.ClientSession() as http, http.get(f"{self._url}/greeting") as response:
            return list((await response.json()).values())


@pytest.fixture
async def greeter(tmp_path: Path) -> AsyncIterator[Greeted]:
    runner = web.AppRunner(build_app({"greeter": Greeter}, tmp_path), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/greeter"
    async with HttpWorkbench(url) as bench:
        yield Greeted(bench, url)
    await runner.cleanup()


async def test_every_quirk_is_as_usual_at_first(greeter: Greeted) -> None:
    assert await greeter.says() == ["id", "polite"]


async def test_what_is_not_named_is_as_usual(greeter: Greeted) -> None:
    await greeter.bench.quirks(language="en", manner="curt")
    assert await greeter.says() == ["en", "curt"]
    await greeter.bench.quirks(manner="curt")
    assert await greeter.says() == ["id", "curt"]


@pytest.mark.parametrize("control", [("DELETE", "quirks"), ("POST", "reset")], ids=" ".join)
async def test_ends_as_usual(greeter: Greeted, control: tuple[str, str]) -> None:
    await greeter.bench.quirks(language="en")
    await greeter.bench.control(*control)
    assert await greeter.says() == ["id", "polite"]


@pytest.mark.parametrize("asked", [{"language": "en", "manner": "rude"}, {"language": "en", "mood": "good"}])
async def test_an_unknown_quirk_or_way_changes_nothing(greeter: Greeted, asked: dict[str, str]) -> None:
    with pytest.raises(WorkbenchError, match="unknown quirks or ways"):
        await greeter.bench.quirks(**asked)
    assert await greeter.says() == ["id", "polite"]

"""The sandbox host with a small pretended agency, over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from app.sandbox.client import HttpWorkbench, WorkbenchError
from app.sandbox.faults import SLOW_PAUSE_S
from app.sandbox.ledger import LedgerError
from app.sandbox.port import Effect, Ledger, Route, Sandbox
from app.sandbox.server import MAX_BODY_BYTES, build_app


class Counter(Sandbox):
    """Takes names, hands out numbers, and says who has which."""

    name = "counter"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.numbers: dict[str, int] = {}

    def routes(self) -> Sequence[Route]:
        return [
            Route("take", "POST", "/numbers", self._take),
            Route("read", "GET", "/numbers/{name}", self._read),
        ]

    def apply(self, effect: Effect) -> None:
        self.numbers[effect.reference] = self.numbers.get(effect.reference, 0) + 1

    def clear(self) -> None:
        self.numbers.clear()

    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        if step not in (None, "call"):
            raise ValueError(f"no step {step!r}: call")
        chosen = list(self.numbers) if reference is None else [reference]
        for name in chosen:
            if name not in self.numbers:
                raise KeyError(name)
            self.ledger.record("called", name, {})
        return chosen

    async def _take(self, request: web.Request) -> web.Response:
        name = (await request.post())["name"]
        self.ledger.record("taken", str(name), {})
        return web.json_response({"number": self.numbers[str(name)]})

    async def _read(self, request: web.Request) -> web.Response:
        return web.json_response({"number": self.numbers.get(request.match_info["name"], 0)})


class Stage:
    """The running host and a session to it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session
        self.bench = HttpWorkbench(url)

    async def take(self, name: str) -> tuple[int, bytes]:
        async with self.session.post(f"{self.url}/numbers", data={"name": name}) as response:
            return response.status, await response.read()

    async def names(self) -> list[str]:
        return [effect.reference for effect in await self.bench.ledger()]

    async def control(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        async with self.session.request(method, f"{self.url}/_sandbox/{path}", data=body) as response:
            return response.status, await response.read()


@asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[Stage]:
    runner = web.AppRunner(build_app({"counter": Counter}, data_dir), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        stage = Stage(f"http://{host}:{port}/counter", session)
        try:
            yield stage
        finally:
            await stage.bench.close()
            await runner.cleanup()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with running(tmp_path) as running_stage:
        yield running_stage


async def test_ledger_outlives_the_process_and_a_torn_line(tmp_path: Path) -> None:
    async with running(tmp_path) as stage:
        await stage.take("siti")
        await stage.take("budi")
    file = tmp_path / "sandboxes" / "counter.jsonl"
    file.write_bytes(file.read_bytes() + b'{"at":"2026-11-0')
    async with running(tmp_path) as stage:
        assert await stage.names() == ["siti", "budi"]
        assert (await stage.take("siti"))[1] == b'{"number": 2}'
    async with running(tmp_path) as stage:
        assert await stage.names() == ["siti", "budi", "siti"]


async def test_a_damaged_ledger_is_named_not_skipped(tmp_path: Path) -> None:
    file = tmp_path / "sandboxes" / "counter.jsonl"
    file.parent.mkdir()
    file.write_bytes(b'{"at":"broken"}\n')
    with pytest.raises(LedgerError, match=r"counter\.jsonl, line 1"):
        build_app({"counter": Counter}, tmp_path)


@pytest.mark.parametrize(("mode", "status"), [("error_500", 500), ("error_503", 503), ("bad_auth", 401)])
async def test_refusals_have_no_effect(stage: Stage, mode: str, status: int) -> None:
    await stage.bench.fault(mode)
    assert (await stage.take("siti"))[0] == status
    assert await stage.names() == []
    await stage.bench.heal()
    assert (await stage.take("siti"))[0] == 200


async def test_error_503_says_when_to_come_back(stage: Stage) -> None:
    await stage.bench.fault("error_503")
    async with stage.session.get(f"{stage.url}/numbers/siti") as response:
        assert response.headers["Retry-After"] == "1"


async def test_reset_has_no_effect(stage: Stage) -> None:
    await stage.bench.fault("reset")
    with pytest.raises(aiohttp.ClientConnectionError):
        await stage.take("siti")
    assert await stage.names() == []


async def test_lost_answer_has_its_effect(stage: Stage) -> None:
    await stage.bench.fault("lost_answer")
    with pytest.raises(aiohttp.ClientConnectionError):
        await stage.take("siti")
    assert await stage.names() == ["siti"]


async def test_the_connection_ends_by_rst(stage: Stage) -> None:
    await stage.bench.fault("reset")
    host, port = stage.url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /counter/numbers/siti HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_hang_never_answers(stage: Stage) -> None:
    await stage.bench.fault("hang")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await stage.take("siti")
    assert await stage.names() == []


async def test_malformed_is_no_json_but_had_its_effect(stage: Stage) -> None:
    await stage.bench.fault("malformed")
    status, body = await stage.take("siti")
    assert status == 200
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(body)
    assert await stage.names() == ["siti"]


async def test_slow_body_drips(stage: Stage) -> None:
    await stage.bench.fault("slow_body")
    started = time.perf_counter()
    assert (await stage.take("siti"))[1] == b'{"number": 1}'
    assert time.perf_counter() - started >= SLOW_PAUSE_S


async def test_huge_body_goes_on_and_on(stage: Stage) -> None:
    await stage.bench.fault("huge_body")
    async with stage.session.post(f"{stage.url}/numbers", data={"name": "siti"}) as response:
        read = 0
        async for chunk in response.content.iter_any():
            read += len(chunk)
            if read > 20_000_000:
                break
        response.close()
    assert read > 20_000_000


async def test_a_fault_for_one_part_of_the_backend_leaves_the_others(stage: Stage) -> None:
    await stage.bench.fault("error_500", under="/numbers/si")
    async with stage.session.get(f"{stage.url}/numbers/siti") as hit:
        assert hit.status == 500
    async with stage.session.get(f"{stage.url}/numbers/budi") as left:
        assert left.status == 200


async def test_latency_rate_and_operations(stage: Stage) -> None:
    await stage.bench.fault("error_500", ["take"], rate=0.1)
    statuses = [(await stage.take("siti"))[0] for _ in range(30)]
    assert [n for n, status in enumerate(statuses, 1) if status == 500] == [10, 20, 30]
    await stage.bench.fault("ok", ["read"], latency_ms=300)
    started = time.perf_counter()
    await stage.take("siti")
    assert time.perf_counter() - started < 0.25
    async with stage.session.get(f"{stage.url}/numbers/siti"):
        assert time.perf_counter() - started >= 0.3


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "faults", b'{"mode": "explode"}'),
        ("PUT", "faults", b'{"mode": "hang", "rate": 2}'),
        ("PUT", "faults", b'{"mode": "hang", "speed": 1}'),
        ("PUT", "faults", b'{"mode": "hang", "operations": ["fly"]}'),
        ("PUT", "faults", b"{"),
        ("PUT", "faults", b'{"mode": "\xff"}'),
        ("PUT", "faults", b"[" * 100_000),
        ("POST", "work", b'{"step": "fly"}'),
        ("POST", "work", b'{"name": "siti"}'),
        ("GET", "ledger?limit=many", b""),
        ("GET", "ledger?limit=0", b""),
    ],
)
async def test_bad_control_input_is_told_and_changes_nothing(stage: Stage, method: str, path: str, body: bytes) -> None:
    status, answer = await stage.control(method, path, body)
    assert status in (400, 413)
    if status == 400:
        assert msgspec.json.decode(answer)["error"]
    assert msgspec.json.decode((await stage.control("GET", "faults"))[1])["mode"] == "ok"
    assert await stage.names() == []


async def test_work_moves_one_or_all(stage: Stage) -> None:
    await stage.take("siti")
    await stage.take("budi")
    await stage.bench.work("siti", "call")
    await stage.bench.work()
    assert await stage.names() == ["siti", "budi", "siti", "siti", "budi"]
    with pytest.raises(WorkbenchError, match="404"):
        await stage.bench.work("dewi")


async def test_reset_forgets_everything_on_disk_too(tmp_path: Path) -> None:
    async with running(tmp_path) as stage:
        await stage.take("siti")
        await stage.bench.fault("hang")
        await stage.bench.reset()
        assert await stage.names() == []
        assert (await stage.take("budi"))[0] == 200
    async with running(tmp_path) as stage:
        assert await stage.names() == ["budi"]


async def test_ledger_filters(stage: Stage) -> None:
    for name in ("siti", "budi", "siti"):
        await stage.take(name)
    page = msgspec.json.decode((await stage.control("GET", "ledger?reference=siti&limit=1"))[1])
    assert (len(page["items"]), page["total"]) == (1, 3)
    assert page["items"][0]["operation"] == "taken"


async def test_a_body_too_large_is_refused(stage: Stage) -> None:
    form = aiohttp.FormData({"name": "siti"})
    form.add_field("file", b"x" * (MAX_BODY_BYTES + 1), filename="a")
    async with stage.session.post(f"{stage.url}/numbers", data=form) as response:
        assert response.status == 413
    assert await stage.names() == []

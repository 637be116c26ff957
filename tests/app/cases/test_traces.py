"""From a citizen's hand to the agency's system, minutes and processes later: one trace, at a collector of its own."""

import re
from collections.abc import Iterator

import pytest

from tests.harness.cases import SERVICE, advertising, new_key, send_pdf
from tests.harness.collector import Collected, Seen, collecting
from tests.harness.people import Citizen
from tests.harness.product import Running, Sandboxes

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collected]:
    with collecting() as collected:
        yield collected


@pytest.fixture(scope="module")
def environment(environment: dict[str, str], collector: Collected) -> dict[str, str]:
    return environment | {"LOKET_OTLP_URL": collector.url, "LOKET_TRACE_RATIO": "0", "LOKET_TRACE_SLOW_S": "600"}


async def test_a_case_handed_in_and_its_delivery_are_one_trace(
    citizen: Citizen, collector: Collected, worker: Running, sandboxes: Sandboxes
) -> None:
    form = advertising(await send_pdf(citizen))
    asked = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "portal=a1", "Idempotency-Key": new_key()}
    async with sandboxes.bench("sicantik") as agency:
        await agency.fault("error_503", ["register"])
        opened = await citizen.client.post("/v1/cases", json={"service": SERVICE, "form": form}, headers=asked)
        assert opened.status_code == 202, opened.text
        collector.wait_for(lambda seen: any(is_try(each, "queued") for each in seen))
        await agency.heal()
    spans = collector.wait_for(lambda seen: any(is_try(each, "delivered") for each in seen))
    assert {each.trace for each in spans} == {TRACE}
    [request] = [each for each in spans if each.kind == "server"]
    assert (request.service, request.name, request.parent) == ("loket-api", "POST /v1/cases", PARENT)
    assert request.state == "portal=a1"
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/cases",
        "http.response.status_code": 202,
        "loket.service": SERVICE,
        "loket.agency": "dpmptsp",
        "loket.told_because": "asked",
    }
    for state, outcome in (("queued", "unavailable"), ("delivered", "ok")):
        one = next(each for each in spans if is_try(each, state))
        assert (one.service, one.parent, one.attributes["loket.operation"]) == ("loket-worker", request.id, "submit")
        [call] = [each for each in spans if each.parent == one.id and each.name == "sicantik register"]
        assert (call.kind, call.failed, call.attributes["loket.outcome"]) == ("client", outcome != "ok", outcome)
        assert any(each.parent == one.id and each.name == "postgresql" for each in spans)
    assert any(each.parent == request.id and each.name == "postgresql" for each in spans)
    assert f'"trace_id":"{TRACE}"' in re.sub(r'": "', '":"', worker.output()), "no line of the delivery names its trace"


def is_try(seen: Seen, state: str) -> bool:
    return seen.name == "process deliver.sicantik" and seen.attributes.get("loket.delivery") == state


async def test_what_nobody_traces_leaves_no_trace(citizen: Citizen, collector: Collected) -> None:
    """Told beside something that is: as long as that takes, the other would have come too."""
    before = len(collector.spans)
    for flags in ("00", "01"):
        headers = {"traceparent": f"00-{'1' * 31}{flags[1]}-{PARENT}-{flags}"}
        assert (await citizen.client.get("/v1/me", headers=headers)).status_code == 200
    seen = collector.wait_for(lambda seen: len(seen) > before)[before:]
    assert {(each.trace, each.attributes.get("http.route", "")) for each in seen if each.kind == "server"} == {
        ("1" * 32, "/v1/me")
    }

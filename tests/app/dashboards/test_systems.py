"""Systems' health over HTTP: what is measured is shown, a broken agency is seen, maintenance is planned and ended."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.database import utc_now
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes

BACKENDS = "/v1/officer/backends"
WHY = "Pemindahan server terencana."


async def seen(officer: OfficerAtWork, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The system once it is as wanted: what one process measures is written every few seconds."""
    told: dict[str, Any] = {}
    for _ in range(600):
        told = (await officer.get(f"{BACKENDS}/sicantik")).json()
        if condition(told):
            return told
        await asyncio.sleep(0.1)
    raise AssertionError({name: told[name] for name in ("hour", "breakers", "queued")})


def operation(system: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [each for each in system["operations"] if each["operation"] == name]
    return dict(found)


async def test_a_delivery_is_measured_and_a_planted_fault_opens_the_breaker_for_all_to_see(
    officers: Officers, people: People, sandboxes: Sandboxes, worker: Running
) -> None:
    officer = await officers.make("operator")
    citizen = await people.make()
    case = await hand_in(citizen)
    await until(citizen, case["id"], is_delivered, timeout_s=60)
    told = await seen(
        officer, lambda system: operation(system, "register")["hour"]["calls"] > 0 and system["uptime"] is not None
    )
    register = operation(told, "register")
    assert (register["hour"]["failed"], register["safe"]) == (0, False)
    assert register["hour"]["median_ms"] > 0
    assert register["last_ok_at"] is not None
    assert (told["uptime"], told["days"][-1]["share"]) == (1.0, 1.0)
    assert sum(point["calls"] for point in told["line"]) == told["day"]["calls"]
    async with sandboxes.bench("sicantik") as bench:
        await bench.fault("error_500", operations=("register",))
        for _ in range(6):
            await hand_in(await people.make())
        broken = await seen(officer, lambda system: operation(system, "register")["breaker"]["state"] != "closed")
        assert operation(broken, "register")["breaker"]["failures"] >= 1
        failing = await seen(officer, lambda system: operation(system, "register")["hour"]["failed"] > 0)
        assert failing["hour"]["calls"] > register["hour"]["calls"]
        [listed] = [each for each in (await officer.get(BACKENDS)).json()["items"] if each["name"] == "sicantik"]
        assert listed["hour"]["failed"] > 0


async def test_maintenance_is_planned_by_the_agencys_own_supervisor_and_ended(officers: Officers) -> None:
    supervisor, stranger = await officers.make("supervisor"), await officers.make("supervisor", "dinkes")
    begins = utc_now() + timedelta(hours=5)
    wanted = {
        "starts_at": begins.isoformat(),
        "ends_at": (begins + timedelta(hours=2)).isoformat(),
        "reason": WHY,
        "service": "outdoor-advertising",
    }
    url = f"{BACKENDS}/sicantik/maintenance"
    assert (await (await officers.make("operator")).post(url, wanted)).status_code == 403
    refused = await stranger.post(url, wanted)
    assert (refused.status_code, refused.json()["code"]) == (404, "backend_unknown")
    wrong = await supervisor.post(url, {**wanted, "ends_at": begins.isoformat()})
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (422, "too_early")
    far = await supervisor.post(url, {**wanted, "ends_at": "9999-12-31T23:59:59-12:00"})
    assert (far.status_code, far.json()["errors"][0]["code"]) == (422, "too_late")
    planned = await supervisor.post(url, wanted)
    assert planned.status_code == 201, planned.text
    system = (await supervisor.get(f"{BACKENDS}/sicantik")).json()
    assert [each["id"] for each in system["windows"]] == [planned.json()["id"]]
    end = f"/v1/officer/maintenance/{planned.json()['id']}/end"
    assert (await stranger.post(end)).json()["code"] == "maintenance_unknown"
    assert (await (await officers.make("city_admin")).post(end)).status_code == 200
    assert (await supervisor.post(end)).status_code == 404
    assert (await supervisor.get(f"{BACKENDS}/sicantik")).json()["windows"] == []


async def test_another_agencys_system_is_not_there(officers: Officers) -> None:
    stranger, auditor = await officers.make("agency_head", "dinkes"), await officers.make("auditor")
    assert (await stranger.get(f"{BACKENDS}/sicantik")).json()["code"] == "backend_unknown"
    assert (await auditor.get(f"{BACKENDS}/sicantik")).json()["agency"] == "dpmptsp"

"""The agencies' systems on the desk: pausing, resuming, holding a breaker; each agency its own."""

from collections.abc import Callable
from typing import Any

from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes
from tests.harness.tables import Tables

WHY = "Server instansi dipindahkan malam ini."
BACKENDS = "/v1/officer/backends"


async def system(officer: OfficerAtWork, name: str) -> dict[str, Any]:
    [found] = [each for each in (await officer.get(BACKENDS)).json()["items"] if each["name"] == name]
    return dict(found)


async def test_each_agency_sees_its_own_systems(officers: Officers) -> None:
    permits, city = await officers.make("operator"), await officers.make("auditor")
    assert {each["agency"] for each in (await permits.get(BACKENDS)).json()["items"]} == {"dpmptsp"}
    assert {"sicantik", "fonnte"} <= {each["name"] for each in (await city.get(BACKENDS)).json()["items"]}
    stranger = await officers.make("operator", "dinkes")
    for what, body in (("pause", {}), ("resume", {}), ("breaker", {"state": "open"})):
        answer = await stranger.post(f"{BACKENDS}/sicantik/{what}", {"reason": WHY, **body})
        assert (answer.status_code, answer.json()["code"]) == (404, "backend_unknown")
        assert (await city.post(f"{BACKENDS}/sicantik/{what}", {"reason": WHY, **body})).status_code == 403
    standing = await system(permits, "sicantik")
    assert (standing["paused"], standing["stray_callbacks"]) == (False, 0)


async def test_paused_cases_wait_and_say_so_resumed_they_go(
    officers: Officers,
    people: People,
    sandboxes: Sandboxes,
    start_process: Callable[..., Running],
    tables: Tables,
) -> None:
    officer, citizen = await officers.make("operator"), await people.make()
    paused = await officer.post(f"{BACKENDS}/sicantik/pause", {"reason": WHY})
    assert (paused.status_code, paused.json()["paused"]) == (200, True)
    assert (await officer.post(f"{BACKENDS}/sicantik/pause", {"reason": WHY})).status_code == 409
    start_process("work").wait_for("worker ready")
    case = await hand_in(citizen)
    marker = await hand_in(await people.make())
    waited = "SELECT count(*) FROM pgqueuer WHERE status = 'queued' AND attempts > 0 AND execute_after > now()"
    await until(citizen, case["id"], lambda _: True)
    for _ in range(300):
        if await tables.value(waited) >= 2:
            break
        await until(citizen, case["id"], lambda _: True)
    shown = await until(citizen, case["id"], lambda now: now["delivery"]["state"] == "queued")
    assert len(shown["timeline"]) == 1
    async with sandboxes.bench("sicantik") as bench:
        assert [effect for effect in await bench.ledger() if effect.operation == "register"] == []
    standing = await system(officer, "sicantik")
    assert (standing["queued"], standing["windows"][0]["reason"]) == (2, WHY)
    [item, _] = (await officer.get("/v1/officer/deliveries")).json()["items"]
    assert (item["paused"], item["text"]) == (True, "Sistem instansi sedang dijeda atau dipelihara.")
    resumed = await officer.post(f"{BACKENDS}/sicantik/resume", {"reason": WHY})
    assert resumed.json()["paused"] is False
    await until(citizen, case["id"], is_delivered, timeout_s=60)
    audited = await tables.rows(
        "SELECT action, purpose FROM audit_rows WHERE object_kind = 'backend' AND actor_id = $1 ORDER BY id",
        str(officer.id),
    )
    assert [row["action"] for row in audited] == ["maintenance.planned", "maintenance.ended", "backend.resumed"]
    assert {row["purpose"] for row in audited} == {WHY}
    assert marker["delivery"]["state"] == "queued"


async def test_a_breaker_held_by_hand_is_shown_and_let_go(officers: Officers) -> None:
    officer = await officers.make("supervisor")
    url = f"{BACKENDS}/sicantik/breaker"
    wrong = await officer.post(url, {"state": "open", "reason": WHY, "operation": "nothing_such"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/operation")
    held = await officer.post(url, {"state": "open", "reason": WHY, "operation": "register"})
    assert held.status_code == 200
    assert held.json()["held"] == [{"operation": "register", "state": "open", "reason": WHY}]
    free = await officer.post(url, {"state": "auto", "reason": WHY, "operation": "register"})
    assert free.json()["held"] == []

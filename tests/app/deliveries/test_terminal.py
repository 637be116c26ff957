"""`loket deliveries`: the same desk from a terminal."""

import json
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner

from app import deskwork
from app.assembly import Product
from app.deliveries import actions
from app.deliveries.schemas import Resolution
from app.desk import deliveries
from app.settings import SettingsError
from tests.harness.deliveries import before_officer
from tests.harness.people import People
from tests.harness.product import Api, start_command
from tests.harness.tables import Tables

WHY = "Dicek di loket DPMPTSP."


def loket(environment: Mapping[str, str], tmp_path: Path, *arguments: str) -> tuple[int, str]:
    (tmp_path / "said.log").unlink(missing_ok=True)
    running = start_command("deliveries", *arguments, environment=environment, log=tmp_path / "said.log")
    running.process.wait(60)
    return running.process.returncode, running.output()


async def test_from_the_terminal(
    api: Api,
    product: Product,
    people: People,
    tables: Tables,
    environment: Mapping[str, str],
    tmp_path: Path,
) -> None:
    citizen = await people.make()
    case, delivery_id = await before_officer(product, tables, citizen)
    code, said = loket(environment, tmp_path, "list", "--state", "needs_operator")
    assert (code, str(delivery_id) in said, case["number"] in said) == (0, True, True)
    by = ("--reason", WHY, "--officer", "ops")
    code, said = loket(
        environment, tmp_path, "resolve", str(delivery_id), "delivered", "--reference", "0000909201112026", *by
    )
    assert code == 0, said
    told = (await citizen.get(f"/v1/cases/{case['id']}")).json()
    assert told["delivery"]["reference"] == "0000909201112026"
    code, said = loket(environment, tmp_path, "pause", "sicantik", *by)
    assert (code, "paused" in said) == (0, True)
    audited = "SELECT actor_id, action FROM audit_rows WHERE object_id = $1 ORDER BY id"
    assert await tables.rows(audited, str(delivery_id)) == [{"actor_id": "ops", "action": "delivery.delivered"}]
    assert await tables.value("SELECT state FROM deliveries WHERE id = $1", UUID(str(delivery_id))) == "delivered"


async def test_what_the_other_commands_do(api: Api, product: Product, people: People, tables: Tables) -> None:
    """Without a process for each: what stands behind the commands."""
    settings = api.settings
    _, delivery_id = await before_officer(product, tables, await people.make())
    assert '"outcome": "needs_operator"' in await deskwork.show(settings, str(delivery_id), "ops")
    with pytest.raises(SettingsError, match="reference: This is required"):
        await deskwork.resolve(settings, str(delivery_id), Resolution("delivered", WHY), "ops")
    await deskwork.retry(settings, str(delivery_id), WHY, "ops")
    assert await tables.value("SELECT state FROM deliveries WHERE id = $1", delivery_id) == "delivering"
    with pytest.raises(SettingsError, match="is no delivery's id"):
        await deskwork.retry(settings, "7", WHY, "ops")
    with pytest.raises(SettingsError, match="no such delivery"):
        await deskwork.retry(settings, str(uuid4()), WHY, "ops")
    _, other = await before_officer(product, tables, await people.make())
    done = await deskwork.retry_all(settings, "sicantik", WHY, "ops")
    assert other in done.retried
    assert [each.paused for each in await deskwork.systems(settings) if each.name == "sicantik"] == [True]
    await deskwork.resume(settings, "sicantik", WHY, "ops")
    with pytest.raises(SettingsError, match="no such system"):
        await deskwork.pause(settings, "nothing_such", WHY, "ops")
    assert await deskwork.parked_jobs(settings) == []
    with pytest.raises(SettingsError, match="not parked"):
        await deskwork.queue_again(settings, 12345, WHY, "ops")


async def test_a_bulk_retry_goes_past_what_cannot_be_tried_again(
    api: Api, product: Product, people: People, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MOST_AT_ONCE", 2)
    await tables.run("DELETE FROM deliveries")
    stuck = [(await before_officer(product, tables, await people.make(), reason="reference_taken"))[1] for _ in "123"]
    waiting = [(await before_officer(product, tables, await people.make(), unknown=False))[1] for _ in "12345"]
    done = await deskwork.retry_all(api.settings, "sicantik", WHY, "ops")
    assert done.retried == waiting, "those that are refused stand in nobody's way"
    assert ([each.id for each in done.refused], done.left) == (stuck, 3)
    with pytest.raises(SettingsError, match="no such system"):
        await deskwork.retry_all(api.settings, "sikantik", WHY, "ops")


async def test_a_breaker_is_held_and_let_go_from_the_terminal(
    api: Api, environment: Mapping[str, str], tmp_path: Path, tables: Tables
) -> None:
    by = ("--reason", WHY, "--officer", "ops")
    code, said = loket(environment, tmp_path, "breaker", "sicantik", "open", "--operation", "register", *by)
    assert code == 0, said
    code, said = loket(environment, tmp_path, "backends", "--json")
    assert code == 0, said
    [system] = [each for each in json.loads(said) if each["name"] == "sicantik"]
    assert system["held"] == [{"operation": "register", "state": "open", "reason": WHY}]
    await deskwork.hold_breaker(api.settings, ("sicantik", ("register", "auto", WHY)), "ops")
    assert await tables.value("SELECT count(*) FROM breaker_overrides") == 0
    with pytest.raises(SettingsError, match="operation"):
        await deskwork.hold_breaker(api.settings, ("sicantik", ("regster", "open", WHY)), "ops")
    audited = "SELECT action FROM audit_rows WHERE actor_id = 'ops' AND action LIKE 'breaker.%' ORDER BY id"
    assert [row["action"] for row in await tables.rows(audited)] == ["breaker.open", "breaker.auto"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--reason", WHY, "--officer", " "), "--officer"),
        (("--reason", " ", "--officer", "ops"), "--reason"),
        (("--reason", "x" * 501, "--officer", "ops"), "--reason"),
    ],
)
def test_nobody_acts_without_a_name_and_a_reason(given: tuple[str, ...], told: str) -> None:
    refused = CliRunner().invoke(deliveries, ["pause", "sicantik", *given])
    assert (refused.exit_code, told in refused.output) == (2, True), refused.output

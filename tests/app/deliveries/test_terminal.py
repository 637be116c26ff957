"""`loket deliveries`: the same desk from a terminal."""

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from app.assembly import Product
from tests.harness.deliveries import before_officer
from tests.harness.people import People
from tests.harness.product import Api, start_command
from tests.harness.tables import Tables

WHY = "Dicek di loket DPMPTSP."


def loket(environment: Mapping[str, str], tmp_path: Path, *arguments: str) -> tuple[int, str]:
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
    code, said = loket(environment, tmp_path, "show", str(delivery_id), "--officer", "ops")
    assert (code, '"outcome": "needs_operator"' in said) == (0, True)
    by = ("--reason", WHY, "--officer", "ops")
    code, said = loket(environment, tmp_path, "resolve", str(delivery_id), "delivered", *by)
    assert code == 1
    assert "reference: This is required." in said
    code, said = loket(
        environment, tmp_path, "resolve", str(delivery_id), "delivered", "--reference", "0000909201112026", *by
    )
    assert code == 0, said
    told = (await citizen.get(f"/v1/cases/{case['id']}")).json()
    assert told["delivery"]["reference"] == "0000909201112026"
    code, said = loket(environment, tmp_path, "retry", str(delivery_id), *by)
    assert (code, "ended already" in said) == (1, True)
    audited = "SELECT actor_id, action FROM audit_rows WHERE object_id = $1 ORDER BY id"
    assert await tables.rows(audited, str(delivery_id)) == [
        {"actor_id": "ops", "action": "delivery.read"},
        {"actor_id": "ops", "action": "delivery.delivered"},
    ]
    assert await tables.value("SELECT state FROM deliveries WHERE id = $1", UUID(str(delivery_id))) == "delivered"

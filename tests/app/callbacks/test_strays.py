"""What is proven and about nothing of ours: kept within bounds, masked, tried again, dismissed, and purged."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.assembly import Product
from app.callbacks import actions, strays
from app.callbacks.port import Tiding
from app.callbacks.strays import Teller
from app.cases.claims import Outcome
from app.database import utc_now
from tests.harness.callbacks import BACKEND, Caller, with_signed_callbacks
from tests.harness.cases import hand_in
from tests.harness.deliveries import delivery_of, ended_as
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api, running_api, start_command
from tests.harness.tables import Tables

CALLBACKS = "/v1/officer/callbacks"
WHY = "Bukan pendaftaran dari kota ini."
NIK = "3571026304870001"


@pytest.fixture(scope="module")
def api(environment: dict[str, str]) -> Iterator[Api]:
    with running_api(environment, with_signed_callbacks) as running:
        yield running


@pytest.fixture(scope="module")
async def caller(api: Api) -> AsyncIterator[Caller]:
    async with api.client() as client:
        yield Caller(client)


@pytest.fixture
async def tables(postgres_url: str) -> AsyncIterator[Tables]:
    async with Tables(postgres_url) as opened:
        await opened.run("TRUNCATE stray_callbacks, callback_receipts")
        yield opened


async def listed(officers: Officers, role: Any = "operator", agency: str = "dpmptsp", **more: str) -> list[Any]:
    officer = await officers.make(role, agency)
    return list((await officer.get(CALLBACKS, **more)).json()["items"])


async def test_the_desk_shows_it_once_and_masked(caller: Caller, officers: Officers, tables: Tables) -> None:
    for _ in range(3):
        assert await caller.tell(NIK, f"diterima, pemohon {NIK}") == 200
    [shown] = await listed(officers)
    assert (shown["backend"], shown["agency"], shown["about"], shown["times"]) == (BACKEND, "dpmptsp", "case", 3)
    assert (shown["reference"], shown["said"], shown["state"]) == ("[nik]", "diterima, pemohon [nik]", "waiting")
    assert await listed(officers, agency="dinkes") == []
    assert [each["id"] for each in await listed(officers, "auditor")] == [shown["id"]]
    assert NIK.encode() not in await tables.value("SELECT sign_enc FROM stray_callbacks")
    reader = await officers.make()
    [system] = [each for each in (await reader.get("/v1/officer/backends")).json()["items"] if each["name"] == BACKEND]
    assert system["stray_callbacks"] == 1


async def test_pages_of_it_follow_each_other(caller: Caller, officers: Officers, tables: Tables) -> None:
    for number in range(5):
        await caller.tell(f"asing-{number}", "received")
    officer, seen, cursor = await officers.make(), list[str](), dict[str, str]()
    for more in (True, True, False):
        page = (await officer.get(CALLBACKS, limit="2", backend=BACKEND, **cursor)).json()
        seen += [each["reference"] for each in page["items"]]
        assert bool(page["next_cursor"]) == more
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"asing-{number}" for number in range(5)]


async def test_told_before_our_own_answer_it_is_acted_on_after(
    caller: Caller, people: People, product: Product, tables: Tables
) -> None:
    """As where the backend is quicker to call than its answer is to be written down."""
    case = await hand_in(await people.make())
    assert await caller.tell("0000777701012026", "received") == 200
    assert await strays.match(product.database) == 0
    await ended_as(product, await delivery_of(tables, case), Outcome(state="delivered", reference="0000777701012026"))
    due = "SELECT next_refresh_at <= now() FROM cases WHERE id = $1"
    assert await tables.value(due, UUID(case["id"])) is False
    assert await strays.match(product.database) == 1
    assert await tables.value(due, UUID(case["id"])) is True
    assert await tables.value("SELECT state FROM stray_callbacks") == "matched"
    assert await tables.value("SELECT outcome FROM callback_receipts") == "asked"
    assert await strays.match(product.database) == 0


async def test_dismissed_it_waits_no_more(
    caller: Caller, officers: Officers, people: People, product: Product, tables: Tables
) -> None:
    await caller.tell("0000777801012026", "received")
    [shown] = await listed(officers)
    asked = {"ids": [shown["id"]], "reason": WHY}
    stranger, reader = await officers.make("operator", "dinkes"), await officers.make("auditor")
    assert (await stranger.post(f"{CALLBACKS}/dismiss", asked)).json() == {"dismissed": []}
    assert (await reader.post(f"{CALLBACKS}/dismiss", asked)).status_code == 403
    officer = await officers.make("supervisor")
    assert (await officer.post(f"{CALLBACKS}/dismiss", {**asked, "reason": ""})).status_code == 422
    assert (await officer.post(f"{CALLBACKS}/dismiss", asked)).json() == {"dismissed": [shown["id"]]}
    assert (await officer.post(f"{CALLBACKS}/dismiss", asked)).json() == {"dismissed": []}
    assert await listed(officers) == []
    [gone] = await listed(officers, state="dismissed")
    assert (gone["officer"], gone["reason"]) == (officer.name, WHY)
    audited = "SELECT actor_id, purpose FROM audit_rows WHERE action = 'callback.dismissed' AND object_id = $1"
    assert await tables.rows(audited, shown["id"]) == [{"actor_id": str(officer.id), "purpose": BACKEND}]
    case = await hand_in(await people.make())
    await ended_as(product, await delivery_of(tables, case), Outcome(state="delivered", reference="0000777801012026"))
    assert await strays.match(product.database) == 0


async def test_a_flood_leaves_the_newest_and_time_takes_the_rest(
    product: Product, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strays, "MOST", 10)
    teller = Teller(BACKEND, "dpmptsp", product.vault)
    for number in range(25):
        async with product.database.begin() as connection:
            await actions.hear(connection, teller, [Tiding("case", f"asing-{number:03}", "x" * 10_000)])
    kept = await tables.rows("SELECT reference, length(sign_enc) AS size FROM stray_callbacks ORDER BY id")
    assert [row["reference"] for row in kept] == [f"asing-{number:03}" for number in range(15, 25)]
    assert max(row["size"] for row in kept) < 300
    await tables.run("UPDATE stray_callbacks SET received_at = $1 WHERE reference < 'asing-020'", _before())
    await actions.purge(product.database)
    assert await tables.value("SELECT min(reference) FROM stray_callbacks") == "asing-020"


async def test_from_the_terminal(
    caller: Caller, tables: Tables, environment: Mapping[str, str], tmp_path: Path
) -> None:
    await caller.tell("asing-terminal", "received")
    found = str(await tables.value("SELECT id FROM stray_callbacks"))
    assert loket(environment, tmp_path, "strays")[1].count(found) == 1
    by = ("--reason", WHY, "--officer", "ops")
    assert loket(environment, tmp_path, "dismiss", found, *by) == (0, f"{found} is dismissed\n")
    assert "not waiting" in loket(environment, tmp_path, "dismiss", found, *by)[1]
    assert loket(environment, tmp_path, "strays") == (0, "")


def loket(environment: Mapping[str, str], folder: Path, *arguments: str) -> tuple[int, str]:
    said = folder / f"{len(list(folder.iterdir()))}.log"
    running = start_command("deliveries", *arguments, environment=environment, log=said)
    running.process.wait(60)
    return running.process.returncode, running.output()


def _before() -> Any:
    return utc_now() - strays.KEPT - timedelta(hours=1)

"""What a page says of something that goes on, or is still to come, is not what it says once that is over or there."""

from collections.abc import AsyncIterator

import pytest

from app.assembly import Product
from tests.harness.officer_login import Pages
from tests.harness.officers import Officers
from tests.harness.product import Api
from tests.harness.tables import Tables

CHECKS, SYSTEM = "/dashboard/audit/checks", "/dashboard/systems/sicantik"
_CHECK = """
INSERT INTO audit_checks (id, asked_by, asked_at, seen_at, total, done)
VALUES (gen_random_uuid(), $1, now(), now(), 70, 10) RETURNING id
"""
_DONE = "UPDATE audit_checks SET outcome = 'whole', done = 70, finished_at = now(), anchors = 1 WHERE id = $1"
_WINDOW = """
INSERT INTO maintenance_windows (id, backend, service, starts_at, ends_at, reason, officer)
VALUES (gen_random_uuid(), 'sicantik', '', now() + $1::int * interval '1 hour', now() + interval '9 hours', 'x', 'test')
"""


@pytest.fixture
async def pages(api: Api) -> AsyncIterator[Pages]:
    opened = Pages(api.url)
    yield opened
    await opened.close()


async def test_a_verification_that_is_done_is_not_under_way(
    product: Product, tables: Tables, officers: Officers, pages: Pages
) -> None:
    auditor = await officers.make("auditor")
    check_id = await tables.value(_CHECK, auditor.id)
    await pages.sit_down(product, auditor)
    shown = (await pages.get(CHECKS)).text
    assert '<span class="badge info" data-when="under_way">Berjalan</span>' in shown
    assert '<span class="badge good" data-when="whole" hidden>Utuh</span>' in shown
    told = (await pages.get(f"{CHECKS}/{check_id}")).json()
    assert (told["is"], told["over"]) == ("under_way", False)
    await tables.run(_DONE, check_id)
    told = (await pages.get(f"{CHECKS}/{check_id}")).json()
    assert (told["is"], told["over"]) == ("whole", True)
    shown = (await pages.get(CHECKS)).text
    assert '<span class="badge good">Utuh</span>' in shown
    assert ">Berjalan<" not in shown


async def test_what_has_not_begun_is_cancelled_and_not_ended(
    product: Product, tables: Tables, officers: Officers, pages: Pages
) -> None:
    await pages.sit_down(product, await officers.make("supervisor"))
    await tables.run(_WINDOW, 3)
    shown = (await pages.get(SYSTEM)).text
    assert "Batalkan</button>" in shown
    assert "Akhiri sekarang</button>" not in shown
    await tables.run(_WINDOW, -1)
    assert "Akhiri sekarang</button>" in (await pages.get(SYSTEM)).text

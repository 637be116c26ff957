"""The record as an export: all that a search finds, in parts, gone on with, and for auditors alone."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.assembly import Product
from app.dashboards.exports.keeping import ExportJob
from app.dashboards.exports.making import Maker
from app.dashboards.exports.record import COLUMNS
from app.privacy import open_vault
from app.settings import Settings
from tests.app.dashboards.exports.test_exports import FullDisk
from tests.harness.officers import OfficerAtWork, Officers

Making = Callable[..., Maker]
MANY = 1050
_BULK = """
INSERT INTO audit_rows (at, actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis)
SELECT now() - interval '40 days' + (n / 3) * interval '4 minutes', 'job', $2, 'bulk.read',
    ('00000000-0000-7000-8000-' || lpad((n % 50)::text, 12, '0'))::uuid, 'case', '=bulk-' || n, 'bulk', 'uu-25-2009'
FROM generate_series(1, $1::int) AS n
"""


async def asked(auditor: OfficerAtWork, **wanted: str) -> str:
    answer = await auditor.post("/v1/officer/audit/exports", wanted)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def made(auditor: OfficerAtWork, maker: Maker, **wanted: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """An export asked for and made, and its rows."""
    export_id = await asked(auditor, **wanted)
    await maker.run(ExportJob(UUID(export_id)))
    shown = (await auditor.get(f"/v1/officer/exports/{export_id}")).json()
    assert shown["state"] == "done"
    content = (await auditor.client.get(shown["file"])).content
    return shown, rows_of(content)


def rows_of(content: bytes) -> list[dict[str, str]]:
    """By the API's names; the file's own are words."""
    heading, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    assert heading[2] == "Waktu (WIB)"
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


async def test_all_that_is_found_newest_first(owner: Any, officers: Officers, maker: Making) -> None:
    await owner.execute(_BULK, MANY, "bulk.one")
    auditor = await officers.make("auditor")
    shown, rows = await made(auditor, maker(), actor="bulk.one")
    expected = await owner.fetch("SELECT id FROM audit_rows WHERE actor_id = 'bulk.one' ORDER BY at DESC, id DESC")
    assert [int(row["id"]) for row in rows] == [row["id"] for row in expected]
    assert (shown["kind"], shown["rows_done"], shown["rows_total"]) == ("audit", MANY, MANY)
    assert {row["object_id"][:6] for row in rows} == {"'=bulk"[:6]}
    subject = "00000000-0000-7000-8000-000000000007"
    _, ones = await made(auditor, maker(), actor="bulk.one", subject=subject)
    assert [row["id"] for row in ones] == [row["id"] for row in rows if row["subject_id"] == subject]
    shown, nothing = await made(auditor, maker(), actor="bulk.one", until="2020-01-01")
    assert (nothing, shown["until_on"]) == ([], "2020-01-01")


async def test_what_is_written_meanwhile_is_not_in_it(
    owner: Any, officers: Officers, maker: Making, product: Product, settings: Settings, tmp_path: Path
) -> None:
    """A worker that stopped is gone on from; the file is the one that an undisturbed worker makes."""
    await owner.execute(_BULK, MANY, "bulk.two")
    auditor = await officers.make("auditor")
    _, whole = await made(auditor, maker(), actor="bulk.two")
    export_id = await asked(auditor, actor="bulk.two")
    broken = FullDisk("", settings.data_dir / "files", open_vault(settings))
    with pytest.raises(Exception, match="OSError"):
        await Maker(msgspec.structs.replace(product.cases, files=broken), tmp_path, 100).run(ExportJob(UUID(export_id)))
    under_way = (await auditor.get(f"/v1/officer/exports/{export_id}")).json()
    assert (under_way["state"], under_way["rows_done"]) == ("running", 300)
    later = "INSERT INTO audit_rows (actor_kind, actor_id, action, object_kind, object_id, purpose, legal_basis) VALUES"
    await owner.execute(f"{later} ('job', 'bulk.two', 'bulk.read', 'case', 'later', 'bulk', 'uu-25-2009')")
    await maker().run(ExportJob(UUID(export_id)))
    content = (await auditor.get(f"/v1/officer/exports/{export_id}/file")).content
    rows = rows_of(content)
    # Chained meanwhile or not: the position may have come.
    assert [row["id"] for row in rows] == [row["id"] for row in whole]


async def test_it_is_on_record_and_what_was_sought_is_sealed(owner: Any, officers: Officers, maker: Making) -> None:
    auditor = await officers.make("auditor")
    subject = "00000000-0000-7000-8000-000000000011"
    shown, _ = await made(auditor, maker(), subject=subject)
    noted = await owner.fetch("SELECT action, purpose FROM audit_rows WHERE actor_id = $1 ORDER BY id", str(auditor.id))
    assert [tuple(row) for row in noted] == [("audit.exported", "audit"), ("export.fetched", "audit")]
    row = await owner.fetchrow("SELECT exports::text AS told FROM exports WHERE id = $1", UUID(shown["id"]))
    assert subject not in row["told"]


async def test_a_sheet_of_it_has_moments_in_the_citys_zone_and_actions_in_words(
    owner: Any, officers: Officers, maker: Making
) -> None:
    read = (
        "INSERT INTO audit_rows (at, actor_kind, actor_id, action, object_kind, object_id, purpose, legal_basis) VALUES"
    )
    values = "('2026-03-01T05:00:00Z', 'job', 'bulk.three', 'case.read', 'case', 'x', 'case_handling', 'uu-25-2009')"
    await owner.execute(f"{read} {values}")
    auditor = await officers.make("auditor")
    _, [row] = await made(auditor, maker(), actor="bulk.three")
    assert row["at"] == "2026-03-01T12:00:00+07:00"
    words = ("Membaca permohonan", "case.read", "Otomatis", "Permohonan")
    assert tuple(row[name] for name in ("action_words", "action", "actor_kind", "object_kind")) == words
    export_id = await asked(auditor, actor="bulk.three", format="xlsx")
    await maker().run(ExportJob(UUID(export_id)))
    content = (await auditor.get(f"/v1/officer/exports/{export_id}/file")).content
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert "<v>46082.5</v>" in opened.read("xl/worksheets/sheet1.xml").decode()


async def test_auditors_alone(owner: Any, officers: Officers, maker: Making) -> None:
    for role in ("supervisor", "agency_head", "city_admin"):
        other = await officers.make(role)
        assert (await other.post("/v1/officer/audit/exports", {})).status_code == 403
    auditor = await officers.make("auditor")
    shown, _ = await made(auditor, maker(), actor="nobody")
    refused = await auditor.post("/v1/officer/audit/exports", {"action": "case.read; DROP"})
    assert (refused.status_code, (await auditor.get("/v1/officer/exports")).json()["items"]) == (422, [shown])
    # Whoever is no auditor any more has it no more.
    await owner.execute("UPDATE officers SET role = 'city_admin' WHERE id = $1", auditor.id)
    assert (await auditor.get("/v1/officer/exports")).json() == {"items": []}
    assert (await auditor.client.get(shown["file"])).status_code == 404

"""Exports: made in the background, gone on with where one stopped, fetched by whoever asked and nobody else."""

import asyncio
import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.assembly import Product
from app.cases.files import FileStore
from app.dashboards.exports.keeping import ExportJob, purge_exports
from app.dashboards.exports.making import Maker
from app.dashboards.exports.workbook import WorkbookWriter
from app.jobs import RetryLater
from app.privacy import open_vault
from app.settings import Settings
from tests.app.dashboards.exports.conftest import CASES
from tests.harness.officer_login import Pages
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.product import Api

Making = Callable[..., Maker]
LONG = {"from_on": "2020-01-01"}


async def made(officer: OfficerAtWork, maker: Maker, **wanted: str) -> dict[str, Any]:
    """An export asked for and made."""
    answer = await officer.post("/v1/officer/exports", LONG | wanted)
    assert answer.status_code == 202, answer.text
    await maker.run(ExportJob(UUID(answer.json()["id"])))
    shown: dict[str, Any] = (await officer.get(f"/v1/officer/exports/{answer.json()['id']}")).json()
    return shown


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


async def test_every_case_stands_in_it_once(owner: Any, officers: Officers, maker: Making) -> None:
    officer = await officers.make("city_admin")
    shown = await made(officer, maker(), kind="cases")
    assert shown["state"] == "done"
    answer = await officer.client.get(shown["file"])
    heading, *rows = rows_of(answer.content)
    assert len(answer.content) == shown["size"]
    expected = await owner.fetch("SELECT number, rating FROM cases WHERE submitted_at IS NOT NULL ORDER BY id")
    assert [row[0] for row in rows] == [row["number"] for row in expected]
    assert [row[-1] for row in rows] == [str(row["rating"] or "") for row in expected]
    assert len(heading) == 13
    assert (shown["rows_done"], shown["rows_total"]) == (len(rows), len(rows))


async def test_an_agency_gets_its_own_rows_alone(owner: Any, officers: Officers, maker: Making) -> None:
    head = await officers.make("agency_head", "dinkes")
    for kind in ("cases", "figures", "survey"):
        shown = await made(head, maker(), kind=kind)
        _, *rows = rows_of((await head.client.get(shown["file"])).content)
        place = 1 if kind == "cases" else 2
        assert {row[place] for row in rows} == {"Dinkes"}
    refused = await head.post("/v1/officer/exports", {"kind": "cases", "agency": "dpmptsp"})
    assert (refused.status_code, refused.json()["code"]) == (404, "agency_unknown")
    foreign = await made(head, maker(), kind="cases", service="outdoor-advertising")
    assert len(rows_of((await head.client.get(foreign["file"])).content)) == 1


async def test_nobody_elses_is_there(officers: Officers, maker: Making) -> None:
    head = await officers.make("agency_head", "dinkes")
    shown = await made(head, maker(), kind="figures")
    others = [
        await officers.make("agency_head", "dinkes"),
        await officers.make("agency_head", "dpmptsp"),
        await officers.make("city_admin"),
    ]
    for other in others:
        for path in (shown["file"], f"/v1/officer/exports/{shown['id']}"):
            assert (await other.client.get(path)).status_code == 404
        assert (await other.client.delete(f"/v1/officer/exports/{shown['id']}")).status_code == 404
        assert (await other.get("/v1/officer/exports")).json() == {"items": []}
    assert (await head.client.get(shown["file"])).status_code == 200


async def test_the_figures_in_it_are_those_shown(officers: Officers, maker: Making) -> None:
    officer = await officers.make("city_admin")
    shown = await made(officer, maker(), kind="figures")
    _, *rows = rows_of((await officer.client.get(shown["file"])).content)
    periods = (await officer.get("/v1/officer/figures", periods="30")).json()["periods"]
    assert sum(int(row[4]) for row in rows) == sum(period["totals"]["handed_in"] for period in periods)
    assert sum(int(row[5]) for row in rows) == sum(period["totals"]["ended"] for period in periods)


async def test_a_killed_worker_is_gone_on_from(
    officers: Officers, maker: Making, product: Product, settings: Settings, tmp_path: Path
) -> None:
    officer = await officers.make("city_admin")
    whole = await made(officer, maker(), kind="cases")
    asked = (await officer.post("/v1/officer/exports", LONG | {"kind": "cases"})).json()
    broken = FullDisk("", settings.data_dir / "files", open_vault(settings))
    stopped = Maker(msgspec.structs.replace(product.cases, files=broken), tmp_path, 100)
    with pytest.raises(RetryLater):
        await stopped.run(ExportJob(UUID(asked["id"])))
    under_way = (await officer.get(f"/v1/officer/exports/{asked['id']}")).json()
    assert (under_way["state"], under_way["rows_done"], under_way["file"]) == ("running", 300, None)
    early = await officer.get(f"/v1/officer/exports/{asked['id']}/file")
    assert (early.status_code, early.json()["code"]) == (409, "export_not_done")
    await maker().run(ExportJob(UUID(asked["id"])))
    done = (await officer.get(f"/v1/officer/exports/{asked['id']}")).json()
    assert (await officer.client.get(done["file"])).content == (await officer.client.get(whole["file"])).content


async def test_two_workers_make_one_file(officers: Officers, maker: Making) -> None:
    officer = await officers.make("city_admin")
    asked = (await officer.post("/v1/officer/exports", LONG | {"kind": "cases"})).json()
    job = ExportJob(UUID(asked["id"]))
    await asyncio.gather(maker().run(job), maker().run(job))
    await maker().run(job)
    _, *rows = rows_of((await officer.client.get(f"/v1/officer/exports/{asked['id']}/file")).content)
    assert len({row[0] for row in rows}) == len(rows) > CASES * 0.9


async def test_a_broken_download_goes_on(officers: Officers, maker: Making) -> None:
    officer = await officers.make("supervisor", "dpmptsp")
    shown = await made(officer, maker(), kind="cases")
    whole = await officer.client.get(shown["file"])
    assert whole.headers["Accept-Ranges"] == "bytes"
    middle = len(whole.content) // 2
    for asked, expected in (
        (f"bytes={middle}-", whole.content[middle:]),
        (f"bytes=10-{middle}", whole.content[10 : middle + 1]),
        ("bytes=-500", whole.content[-500:]),
        (f"bytes=0-{10**12}", whole.content),
    ):
        part = await officer.client.get(shown["file"], headers={"Range": asked, "If-Range": whole.headers["ETag"]})
        assert (part.status_code, part.content) == (206, expected), asked
        assert part.headers["Content-Range"].endswith(f"/{len(whole.content)}")
    beyond = await officer.client.get(shown["file"], headers={"Range": f"bytes={len(whole.content)}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_beyond_file")
    assert beyond.json()["params"] == {"size": len(whole.content)}
    other = await officer.client.get(shown["file"], headers={"Range": "bytes=5-", "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)


async def test_no_cell_is_a_formula(owner: Any, officers: Officers, maker: Making) -> None:
    hostile = '=HYPERLINK("http://x","y")'
    # Python, though no reader of CSV, would end a line, and with it a row, at each of these.
    lines = "satu\u2028palsu\x85palsu\x0bpalsu\x1epalsu"
    some = "SELECT id FROM cases WHERE delivery_state = 'delivered' ORDER BY id LIMIT 1 OFFSET"
    for place, reference in enumerate((hostile, lines)):
        await owner.execute(f"UPDATE cases SET agency_reference = $1 WHERE id = ({some} {place})", reference)
    officer = await officers.make("city_admin")
    shown = await made(officer, maker(), kind="cases")
    _, *rows = rows_of((await officer.client.get(shown["file"])).content)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [row for row in rows if f"'{hostile}" in row]
    book = await made(officer, maker(), kind="cases", format="xlsx")
    assert book["state"] == "done", book
    content = (await officer.client.get(book["file"])).content
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        sheet = opened.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "'=HYPERLINK" in sheet
    assert sheet.count("<row ") == len(rows) + 1


async def test_who_opens_it_reads_words_and_none_that_are_a_citizens(
    owner: Any, officers: Officers, maker: Making
) -> None:
    one = "SELECT id FROM cases WHERE status = 'in_review' LIMIT 1"
    await owner.execute(f"UPDATE cases SET status = 'needs_citizen', delivery_state = 'delivered' WHERE id = ({one})")
    officer = await officers.make("city_admin", language="en")
    shown = await made(officer, maker(), kind="cases")
    heading, *rows = rows_of((await officer.client.get(shown["file"])).content)
    found = [dict(zip(heading, row, strict=True)) for row in rows]
    assert "Waiting for citizen" in {row["Status"] for row in found}
    assert {row["Delivery to the agency"] for row in found} >= {"Received by agency"}
    assert not {"dinkes", "dpmptsp"} & {row["Agency"] for row in found}


def test_every_column_of_a_sheet_is_what_it_is(tmp_path: Path) -> None:
    """Days are days to whoever sorts them; an agency's number of digits alone keeps every one of them."""
    path = tmp_path / "book.xlsx"
    writer = WorkbookWriter(path, ["words", "number", "day", "moment"])
    number = "1234567890123456"
    writer.write(["a,b,c,d\r\n", f"{number},12.5,2026-03-01,2026-03-01T12:00:00+07:00\r\n", "x,,,\r\n"])
    writer.close()
    with zipfile.ZipFile(path) as opened:
        sheet = opened.read("xl/worksheets/sheet1.xml").decode()
        styles = opened.read("xl/styles.xml").decode()
    cells = dict(re.findall(r'<c r="([A-D]2)"(.*?)</c>', sheet))
    assert 't="inlineStr"' in cells["A2"]
    assert number in cells["A2"]
    assert ["<v>12.5" in cells["B2"], "<v>46082</v>" in cells["C2"], "<v>46082.5</v>" in cells["D2"]] == [True] * 3
    assert 'numFmtId="14"' in styles
    assert 'formatCode="yyyy-mm-dd hh:mm:ss"' in styles
    assert '<autoFilter ref="A1:D3"/>' in sheet
    assert not [each for each in ("B3", "C3", "D3") if f'r="{each}"' in sheet]


def test_a_full_sheet_is_followed_by_another(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    writer = WorkbookWriter(path, ["words", "words"], most_rows=10)
    writer.write(["a,b\r\n", *(f"{number},x\r\n" for number in range(25))])
    writer.close()
    with zipfile.ZipFile(path) as opened:
        sheets = [name for name in opened.namelist() if name.startswith("xl/worksheets/sheet")]
        counts = [opened.read(name).decode().count("<row ") for name in sorted(sheets)]
    assert counts == [10, 10, 8]


async def test_nothing_personal_is_in_it_and_nothing_readable_on_the_disk(
    owner: Any, officers: Officers, maker: Making, settings: Settings
) -> None:
    officer = await officers.make("city_admin")
    shown = await made(officer, maker(), kind="cases")
    content = (await officer.client.get(shown["file"])).content
    number = rows_of(content)[1][0].encode()
    files = [path for path in (settings.data_dir / "files").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if number in path.read_bytes()]
    noted = "SELECT count(*) FROM audit_rows WHERE action = $1 AND object_id = $2"
    assert [await owner.fetchval(noted, f"export.{what}", shown["id"]) for what in ("made", "fetched")] == [1, 1]


async def test_what_is_past_its_time_is_gone(owner: Any, officers: Officers, maker: Making, product: Product) -> None:
    officer = await officers.make("city_admin")
    shown = await made(officer, maker(), kind="figures")
    here = f"id = '{shown['id']}'"
    file_ids = [row["file_id"] for row in await owner.fetch(f"SELECT file_id FROM export_parts WHERE export_{here}")]
    await owner.execute(f"UPDATE exports SET expires_at = now() - interval '1 second' WHERE {here}")
    assert (await officer.client.get(shown["file"])).status_code == 404
    await purge_exports(product.cases)
    assert await owner.fetchval(f"SELECT count(*) FROM exports WHERE {here}") == 0
    for file_id in file_ids:
        with pytest.raises(Exception, match="attachment_not_found"):
            await product.cases.files.get(file_id)


async def test_the_worker_makes_them(officers: Officers, worker: Any) -> None:
    assert worker
    officer = await officers.make("agency_head", "dinkes")
    asked = (await officer.post("/v1/officer/exports", LONG | {"kind": "survey", "format": "xlsx"})).json()
    shown: dict[str, Any] = asked
    for _ in range(600):
        if shown["state"] not in ("queued", "running"):
            break
        await asyncio.sleep(0.1)
        shown = (await officer.get(f"/v1/officer/exports/{asked['id']}")).json()
    assert shown["state"] == "done"
    assert (await officer.client.get(shown["file"])).content[:2] == b"PK"


@pytest.mark.parametrize("role", ["operator", "auditor"])
async def test_who_may_not(officers: Officers, role: Any) -> None:
    officer = await (officers.make(role, "dinkes") if role == "operator" else officers.make(role))
    assert (await officer.post("/v1/officer/exports", {"kind": "figures"})).status_code == 403


class FullDisk(FileStore):
    """A store whose disk has room for three files more."""

    room = 3

    async def put(self, file_id: UUID, content: bytes) -> None:
        if self.room == 0:
            raise OSError(28, "No space left on device")
        self.room -= 1
        await super().put(file_id, content)


_UNDER_WAY = """
INSERT INTO exports (id, officer_id, agency, kind, format, language, from_on, until_on, expires_at)
VALUES (gen_random_uuid(), $1, 'dpmptsp', 'cases', 'csv', 'id', '2026-01-01', '2026-02-01', now() + interval '1 day')
RETURNING id
"""


async def test_its_page_tells_how_far_it_is(api: Api, product: Product, owner: Any, officers: Officers) -> None:
    """For the page's script, which shows the file once it is there; for nobody else. No job is asked: no worker makes
    it meanwhile."""
    officer, other = await officers.make("supervisor"), await officers.make("supervisor")
    export_id = await owner.fetchval(_UNDER_WAY, officer.id)
    path = f"/dashboard/figures/exports/{export_id}"
    mine, theirs = Pages(api.url), Pages(api.url)
    await mine.sit_down(product, officer)
    await theirs.sit_down(product, other)
    page = (await mine.get("/dashboard/figures/exports")).text
    assert f'data-live="{path}"' in page
    assert f'href="{path}/file" download data-when="done" hidden' in page
    for state, done, total, told in (
        ("queued", 0, None, {"is": "queued", "state": "Menunggu", "rows": "0", "over": False}),
        ("running", 1200, 5000, {"is": "running", "state": "Sedang dibuat", "rows": "1.200 / 5.000", "over": False}),
        ("done", 5000, 5000, {"is": "done", "state": "Selesai", "rows": "5.000", "over": True}),
    ):
        now = "UPDATE exports SET state = $2, rows_done = $3, rows_total = $4 WHERE id = $1"
        await owner.execute(now, export_id, state, done, total)
        assert (await mine.get(path)).json() == told
    assert (await theirs.get(path)).status_code == 404
    assert "data-live" not in (await mine.get("/dashboard/figures/exports")).text
    for each in (mine, theirs):
        await each.close()

"""`loket officers`: the first accounts of a city, from the terminal."""

from collections.abc import Callable

from tests.harness.officers import Officers
from tests.harness.product import Running
from tests.harness.tables import Tables

ADD = ("officers", "add", "ketua.dlh", "--full-name", "Rina Kartika", "--officer", "diskominfo.rudi")


def _said(run: Callable[..., Running], *arguments: str) -> tuple[int, str]:
    running = run(*arguments)
    return running.process.wait(60), running.output()


async def test_add_list_disable(officers: Officers, start_process: Callable[..., Running], postgres_url: str) -> None:
    await officers.make("city_admin")
    done, said = _said(start_process, *ADD, "--role", "agency_head", "--agency", "dlh")
    assert done == 0
    assert "/dashboard/enrolment" in said
    assert "ketua.dlh" in said
    done, said = _said(start_process, "officers", "list")
    assert "agency_head  dlh            invited" in said
    assert _said(start_process, "officers", "disable", "ketua.dlh", "--officer", "diskominfo.rudi")[0] == 0
    async with Tables(postgres_url) as tables:
        rows = await tables.rows(
            "SELECT action, actor_id FROM audit_rows WHERE actor_id = 'diskominfo.rudi' ORDER BY id"
        )
        assert [row["action"] for row in rows] == ["officer.added", "officer.disabled"]
        assert await tables.value("SELECT state FROM officers WHERE name = 'ketua.dlh'") == "disabled"


def test_what_cannot_be_is_said(start_process: Callable[..., Running]) -> None:
    done, said = _said(start_process, *ADD, "--role", "operator", "--agency", "sihir")
    assert (done, "no such agency" in said) == (1, True), said
    assert _said(start_process, *ADD, "--role", "king")[0] == 1
    assert _said(start_process, "officers", "disable", "nobody", "--officer", "x")[0] == 1

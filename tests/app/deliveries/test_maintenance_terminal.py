"""`loket maintenance`: planned from a terminal, told to everybody by the public catalogue, ended again."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app import windows
from app.settings import SettingsError
from app.windows import Asked
from tests.harness.cases import SERVICE
from tests.harness.product import Api, start_command
from tests.harness.tables import Tables

WHY = "Basis data dipindahkan."
CITY = ZoneInfo("Asia/Jakarta")
LOCAL, RFC_3339 = "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ"
TONIGHT = "2099-12-01 22:00"


def loket(environment: Mapping[str, str], tmp_path: Path, *arguments: str) -> tuple[int, str]:
    running = start_command("maintenance", *arguments, environment=environment, log=tmp_path / f"{arguments[0]}.log")
    running.process.wait(60)
    return running.process.returncode, running.output()


async def told_once(api: Api, *, maintenance: bool) -> dict[str, Any]:
    """The public catalogue's entry once it tells of maintenance, or no more."""
    told: dict[str, Any] = {}
    async with api.client() as anybody:
        for _ in range(300):
            told = (await anybody.get(f"/v1/services/{SERVICE}")).json()
            if (told["maintenance"] is not None) is maintenance:
                return told
            await asyncio.sleep(0.1)
    raise AssertionError(told)


# A process for each command.
@pytest.mark.timeout(300)
async def test_planned_told_and_ended_from_the_terminal(
    api: Api, tables: Tables, environment: Mapping[str, str], tmp_path: Path
) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    planned = ("--backend", "sicantik", "--ends", ends.strftime(RFC_3339), "--reason", WHY, "--officer", "ops")
    code, said = loket(environment, tmp_path, "plan", *planned)
    assert code == 0, said
    window = said.split()[0]
    told = await told_once(api, maintenance=True)
    assert told["availability"] == "maintenance"
    assert datetime.fromisoformat(told["maintenance"]["ends_at"]) == ends
    code, said = loket(environment, tmp_path, "list")
    [line] = [each for each in said.splitlines() if window in each]
    assert (code, f"until {ends.astimezone(CITY):%Y-%m-%d %H:%M} WIB  on now: {WHY} (ops)" in line) == (0, True)
    code, said = loket(environment, tmp_path, "end", window, "--officer", "ops")
    assert (code, said.strip()) == (0, f"{window} of sicantik is over")
    assert (await told_once(api, maintenance=False))["availability"] == "available"
    audited = "SELECT action, purpose FROM audit_rows WHERE actor_id = 'ops' AND object_id = 'sicantik' ORDER BY id"
    assert [tuple(row.values()) for row in await tables.rows(audited)] == [
        ("maintenance.planned", WHY),
        ("maintenance.ended", WHY),
    ]
    code, said = loket(environment, tmp_path, "end", window, "--officer", "ops")
    assert (code, "No such maintenance" in said) == (1, True)


async def test_one_service_later_by_the_citys_own_clock(api: Api) -> None:
    """Without a process for each: what stands behind the commands. A service alone, so that its system goes on."""
    begins = datetime.now(CITY).replace(second=0, microsecond=0) + timedelta(days=3)
    times = {"starts": begins.strftime(LOCAL), "ends": (begins + timedelta(hours=4)).strftime(LOCAL)}
    reason = f"{WHY} Tanya 081234567890."
    line = await windows.plan(api.settings, Asked(service=SERVICE, reason=reason, **times), "ops")
    assert f"{SERVICE}  {times['starts']} WIB until {times['ends']} WIB  planned: {WHY} Tanya [phone]. (ops)" in line
    assert line in await windows.listed(api.settings)
    told = await told_once(api, maintenance=True)
    assert told["availability"] == "available"
    assert datetime.fromisoformat(told["maintenance"]["starts_at"]) == begins
    await windows.end(api.settings, line.split()[0], "ops")
    assert line not in await windows.listed(api.settings)
    await told_once(api, maintenance=False)


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (Asked(ends=TONIGHT, reason=WHY), "backend: This is required"),
        (Asked(backend="nothing_such", ends=TONIGHT, reason=WHY), "no such system"),
        (Asked(service="nothing-such", ends=TONIGHT, reason=WHY), "no such service"),
        (Asked(backend="fonnte", service=SERVICE, ends=TONIGHT, reason=WHY), "does not go through that system"),
        (Asked(service="family-card", ends=TONIGHT, reason=WHY), "only a link"),
        (Asked(backend="sicantik", ends="2020-12-01 22:00", reason=WHY), "ends_at: This time has passed"),
        (Asked(backend="sicantik", starts="2020-12-01 22:00", ends=TONIGHT, reason=WHY), "starts_at: This time has"),
        (Asked(backend="sicantik", starts=TONIGHT, ends=TONIGHT, reason=WHY), "ends_at: Must be after the start"),
        (Asked(backend="sicantik", ends="tonight", reason=WHY), "'tonight' is no time: write 2026-12-01 22:00 on"),
        (Asked(backend="sicantik", ends="2099-12-01T22:00:00", reason=WHY), "RFC 3339 with an offset"),
        (Asked(backend="sicantik", ends="2099-02-30 22:00", reason=WHY), "is no time"),
        (Asked(backend="sicantik", ends=TONIGHT, reason=""), "reason: This is required"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_says_why(api: Api, asked: Asked, refused: str) -> None:
    before = await windows.listed(api.settings)
    with pytest.raises(SettingsError, match=refused):
        await windows.plan(api.settings, asked, "ops")
    assert await windows.listed(api.settings) == before


async def test_an_id_that_is_none(api: Api) -> None:
    with pytest.raises(SettingsError, match="is no maintenance's id"):
        await windows.end(api.settings, "7", "ops")

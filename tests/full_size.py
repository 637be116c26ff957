"""`make figures`: what is small in `make test`, each at the size that is asked for, one after the other.

What each test told of itself stands in a table at the end. Each has an end, however it goes.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import click
import msgspec

from tests.harness.figures import NAME

HERE = Path(__file__).parent


class Size(msgspec.Struct, frozen=True):
    """One test as it is asked for. `fault` is what it is called; it takes `minutes` on two quiet cores, and ends by
    force after thrice that."""

    fault: str
    file: str
    asked: str
    environment: Mapping[str, str]
    minutes: int


class Seen(msgspec.Struct, frozen=True):
    """What became of one."""

    size: Size
    held: bool
    took_s: float
    told: Sequence[str]

    def lines(self) -> Iterator[str]:
        verdict = "holds " if self.held else "BROKEN"
        yield f"{self.size.fault}  {verdict}  {self.took_s / 60:5.1f} min  {self.size.asked}"
        yield from (f"     {words}" for words in self.told)


SIZES = (
    Size("F07", "faults/test_f07_lost_answers.py", "0 doubled of 5,000", {"LOKET_F07_CASES": "5000"}, 10),
    Size(
        "F12",
        "faults/test_f12_agency_down_for_days.py",
        "0 lost of 50,000, drained at most 5 % above its rate",
        {"LOKET_F12_BACKLOG": "50000", "LOKET_F12_RATE": "80"},
        14,
    ),
    Size("F21", "faults/test_f21_restore.py", "1,000,000 rows within 5 min", {"LOKET_RESTORE_ROWS": "1000000"}, 4),
    Size("F29", "faults/test_f29_rolling_restart.py", "0 failed at 200 requests/s", {"LOKET_ROLLING_RATE": "200"}, 3),
    Size(
        "prompt",
        "app/cases/test_prompt_delivery.py",
        "99.9 % handed to a healthy agency within 2 s",
        {"LOKET_PROMPT_CASES": "3000", "LOKET_PROMPT_RATE": "25"},
        4,
    ),
    Size(
        "own-time",
        "chaos/test_own_time.py",
        "around an agency's time at 200 requests/s p95 100 ms, p99 250 ms",
        {"LOKET_OWN_TIME_RATE": "200", "LOKET_OWN_TIME_SECONDS": "60"},
        2,
    ),
    Size("F32", "faults/test_f32_same_key.py", "0 doubled of 10,000 requests", {"LOKET_F32_KEYS": "1000"}, 4),
)


def run(size: Size, folder: Path) -> Seen:
    """In a process of its own, whose output goes past as it comes."""
    report = folder / f"{size.fault}.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, f"--junitxml={report}", str(HERE / size.file)],
        env={**os.environ, **size.environment},
        start_new_session=True,
    )
    try:
        held = process.wait(size.minutes * 180) == 0
    except subprocess.TimeoutExpired:
        held = False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Seen(size, held, time.monotonic() - began, told_in(report))


def told_in(report: Path) -> list[str]:
    """What tests told: nothing, where they never came to their end."""
    if not report.exists():
        return ["no figure: it did not come to its end"]
    found = ET.parse(report).iter("property")  # noqa: S314 -- written by pytest just now
    return [str(each.get("value")) for each in found if each.get("name") == NAME]


@click.command()
@click.argument("faults", nargs=-1)
def main(faults: tuple[str, ...]) -> None:
    """F07 F12 ... at their full size; without names, all of them."""
    chosen = [size for size in SIZES if not faults or size.fault in faults]
    click.echo(f"about {sum(size.minutes for size in chosen)} min: {', '.join(size.fault for size in chosen)}")
    with tempfile.TemporaryDirectory(prefix="loket-figures-") as folder:
        seen = [run(size, Path(folder)) for size in chosen]
    click.echo("\n" + "\n".join(line for each in seen for line in each.lines()))
    sys.exit(0 if all(each.held for each in seen) else 1)


if __name__ == "__main__":
    main()

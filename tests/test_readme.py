"""The README's tour, run as it stands by bash against the running product."""

import asyncio
import os
import re
from pathlib import Path

import pytest

from app.demo import seed
from app.settings import ROOT
from tests.harness.product import Api, Running, Sandboxes

_BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)


@pytest.mark.timeout(180)
async def test_the_tour_works_line_by_line(api: Api, worker: Running, sandboxes: Sandboxes, tmp_path: Path) -> None:
    assert worker.process.poll() is None
    await seed(api.settings)
    blocks = _BLOCK.findall((ROOT / "README.md").read_text("utf-8"))
    assert len(blocks) == 1
    script = tmp_path / "tour.sh"
    tour = blocks[0].replace("/tmp/", f"{tmp_path}/")  # noqa: S108 - the README's word, made a folder of this test
    script.write_text("set -euo pipefail\n" + tour, "utf-8")

    box = f"http://127.0.0.1:{api.settings.sandbox_port}"
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "API": api.url, "BOX": box}
    bash = await asyncio.create_subprocess_exec(
        "bash", str(script), env=given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await bash.communicate()

    told = output.decode()
    assert bash.returncode == 0, told
    for expected in ('"Siti Aminah"', "outdoor-advertising", "'state': 'delivered'", "Permohonan selesai.", "%PDF-1."):
        assert expected in told, f"{expected} is missing in:\n{told}"
    assert '"genuine":true' in told.replace(" ", ""), told

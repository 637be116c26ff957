"""The README's tour, run as it stands by bash against the running product."""

import os
import re
import subprocess
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
    script.write_text("set -euo pipefail\n" + blocks[0].replace("/tmp/", f"{tmp_path}/"), "utf-8")

    box = f"http://127.0.0.1:{api.settings.sandbox_port}"
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "API": api.url, "BOX": box}
    done = subprocess.run(["bash", str(script)], env=given, capture_output=True, text=True, timeout=150, check=False)

    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    for expected in ('"Siti Aminah"', "outdoor-advertising", "'state': 'delivered'", "Permohonan selesai.", "%PDF-1."):
        assert expected in told, f"{expected} is missing in:\n{told}"
    assert '"genuine":true' in told.replace(" ", ""), told

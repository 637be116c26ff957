"""The shell lines of a document, run as they stand by bash against the running product."""

import asyncio
import os
import re
from pathlib import Path

from app.settings import ROOT
from tests.harness.product import Api

_BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)


async def told_on_tour(document: str, api: Api, folder: Path) -> str:
    """Everything a document's one bash block prints. Raises AssertionError where a line of it fails."""
    blocks = _BLOCK.findall((ROOT / document).read_text("utf-8"))
    assert len(blocks) == 1
    script = folder / "tour.sh"
    tour = blocks[0].replace("/tmp/", f"{folder}/")  # noqa: S108 - the document's word, made a folder of this test
    script.write_text("set -euo pipefail\n" + tour, "utf-8")
    box = f"http://127.0.0.1:{api.settings.sandbox_port}"
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), "API": api.url, "BOX": box}
    bash = await asyncio.create_subprocess_exec(
        "bash", str(script), env=given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await bash.communicate()
    told = output.decode()
    assert bash.returncode == 0, told
    return told

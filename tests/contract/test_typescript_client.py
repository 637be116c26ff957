"""Types for TypeScript made from the document by openapi-typescript, compiled strictly and used against the API.

Its npm packages are fetched, so this is not part of `make test` but of `make test-clients`.
"""

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from app.settings import ROOT
from tests.harness.people import Citizen
from tests.harness.product import Api

FOLDER = ROOT / "tests" / "contract" / "typescript"
# Outside git, and kept: the packages are fetched once.
PLACE = ROOT / ".clients" / "typescript"

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place() -> Path:
    """A folder with the pinned packages and our source. Raises AssertionError with what npm says."""
    shutil.copytree(FOLDER, PLACE, dirs_exist_ok=True)
    pins = (FOLDER / "package-lock.json").read_text("utf-8")
    stamp = PLACE / "installed"
    if not stamp.is_file() or stamp.read_text("utf-8") != pins:
        run(PLACE, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved")
        stamp.write_text(pins, "utf-8")
    return PLACE


def run(folder: Path, *command: str) -> str:
    """What it prints. Raises AssertionError with that where it fails."""
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout + told.stderr


def test_makes_types_that_compile_and_work(place: Path, api: Api, citizen: Citizen) -> None:
    (place / "openapi.json").write_bytes(httpx.get(f"{api.url}/openapi.json").content)
    made = run(place, "node_modules/.bin/openapi-typescript", "openapi.json", "--output", "schema.d.ts")
    assert "warn" not in made.lower()
    run(place, "node_modules/.bin/tsc", "--project", "tsconfig.json")
    answer = json.loads(run(place, "node", "built/client.js", api.url, citizen.token))
    assert answer == {"level": 2, "status": "draft", "action": "submit"}

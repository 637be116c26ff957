"""Types for TypeScript made from the document by openapi-typescript, compiled strictly and used against the API.

Its npm packages are fetched, so this is not part of `make test` but of `make test-clients`.
"""

import json
from pathlib import Path

import httpx
import pytest

from tests.harness.npm import installed, run
from tests.harness.people import Citizen
from tests.harness.product import Api

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place() -> Path:
    return installed("typescript")


def test_makes_types_that_compile_and_work(place: Path, api: Api, citizen: Citizen) -> None:
    (place / "openapi.json").write_bytes(httpx.get(f"{api.url}/openapi.json").content)
    made = run(place, "node_modules/.bin/openapi-typescript", "openapi.json", "--output", "schema.d.ts")
    assert "warn" not in made.lower()
    run(place, "node_modules/.bin/tsc", "--project", "tsconfig.json")
    answer = json.loads(run(place, "node", "built/client.js", api.url, citizen.token))
    assert answer == {"level": 2, "status": "draft", "action": "submit"}

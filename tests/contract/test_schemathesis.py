"""schemathesis against the running API: every check, every phase; `make fuzz` runs it at length."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from app.demo import seed
from app.settings import ROOT, read_settings
from tests.harness.product import Running

CONFIG = ROOT / "tests" / "contract" / "schemathesis.toml"
PHASES = ("Examples", "Coverage", "Fuzzing", "Stateful")


@pytest.mark.timeout(3600)
def test_schemathesis_finds_nothing(
    environment: dict[str, str], start_process: Callable[..., Running], worker: Running
) -> None:
    """Quick, and the same every time; with LOKET_FUZZ_EXAMPLES at length, and different every time."""
    examples = os.environ.get("LOKET_FUZZ_EXAMPLES", "")
    settings = read_settings(environment)
    start_process("serve").wait_for("Uvicorn running")
    asyncio.run(seed(settings))
    how = ["--max-examples", examples] if examples else ["--max-examples", "10", "--generation-deterministic"]
    told = schemathesis(environment, f"{settings.issuer}/openapi.json", *how)
    operations = sum(len(path) for path in httpx.get(f"{settings.issuer}/openapi.json").json()["paths"].values())
    assert f"Tested: {operations}\n" in told
    assert [phase for phase in PHASES if f"✅ {phase}\n" not in told] == []
    assert "No issues found" in told


def schemathesis(environment: Mapping[str, str], url: str, *arguments: str) -> str:
    """What it prints. Raises AssertionError with that where it found something."""
    command: list[str | Path] = [
        Path(sys.executable).parent / "schemathesis",
        "--config-file",
        CONFIG,
        "run",
        url,
        *arguments,
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOKET_")}
    result: subprocess.CompletedProcess[str] = subprocess.run(
        command,
        env={**kept, "PYTHONPATH": str(ROOT), "LOKET_LOG_LEVEL": "warning", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout

"""What `loket new-service` and `loket new-integration` write passes the whole suite with no existing file edited.

And the suite bites: each of the usual mistakes, planted into a scaffold, fails the test that is there for it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import ROOT
from tests.conformance.folders import INTEGRATIONS, SERVICES

pytestmark = pytest.mark.timeout(400)

SERVICE, INTEGRATION = "street_lights", "lamp_desk"
ADAPTER = f"integrations/{INTEGRATION}/{SERVICE}.py"
BIN = Path(sys.executable).parent
# What is not there yet does not depend on the folders that are: their own contracts run in this very suite already.
OTHERS = " and ".join(f"not {name}" for name in (*SERVICES, *INTEGRATIONS))
SUITE = ["tests/conformance", "tests/structure/test_imports.py", "tests/structure/test_names.py"]


@pytest.fixture(scope="module")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with one service module and one integration more."""
    copy = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    before = digests(copy)
    assert run(copy, "-m", "app.cli", "new-service", SERVICE).returncode == 0
    assert run(copy, "-m", "app.cli", "new-integration", INTEGRATION, "--serves", SERVICE).returncode == 0
    after = digests(copy)
    assert {name: after[name] for name in before} == before, "an existing file was edited"
    return copy


@pytest.fixture
def tree(scaffolded: Path, tmp_path: Path) -> Iterator[Path]:
    """The scaffolded copy, whose two new folders are as they were again after the test."""
    for folder in ("services", "integrations"):
        shutil.copytree(scaffolded / folder, tmp_path / folder)
    yield scaffolded
    for folder in ("services", "integrations"):
        shutil.rmtree(scaffolded / folder)
        shutil.copytree(tmp_path / folder, scaffolded / folder)


def test_scaffolds_pass_the_whole_suite(scaffolded: Path) -> None:
    result = suite(scaffolded, *SUITE, "-vv")
    assert result.returncode == 0, result.stdout[-5000:]
    assert f"[{INTEGRATION}-{SERVICE}-" in result.stdout
    assert f"[{SERVICE}]" in result.stdout


def test_scaffolds_are_clean(scaffolded: Path) -> None:
    folders = [f"services/{SERVICE}", f"integrations/{INTEGRATION}"]
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        result = subprocess.run(
            [BIN / command[0], *command[1:], *folders], cwd=scaffolded, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr


def test_the_product_offers_the_new_service(scaffolded: Path) -> None:
    program = (
        "from app.assembly import build; from app.settings import read_settings;"
        "product = build(read_settings({'LOKET_DATABASE_URL': 'postgresql://nowhere/x',"
        f"'LOKET_VALKEY_URL': 'redis://nowhere', 'LOKET_DATA_DIR': '{scaffolded / 'data'}'}}), 'test');"
        f"print(product.found.modules['{SERVICE}'].backends[''])"
    )
    result = run(scaffolded, "-c", program)
    assert result.stdout.strip().endswith(INTEGRATION), result.stderr[-3000:]


def test_nothing_is_overwritten(scaffolded: Path) -> None:
    again = run(scaffolded, "-m", "app.cli", "new-service", SERVICE)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert "cannot be a folder's name" in run(scaffolded, "-m", "app.cli", "new-service", "../evil").stderr
    unserved = run(scaffolded, "-m", "app.cli", "new-integration", "desk", "--serves", "nothing_such")
    assert "nothing has a port named 'nothing_such'" in unserved.stderr


def test_a_missing_method_is_caught(tree: Path) -> None:
    plant(tree / ADAPTER, "async def progress", "async def advancement")
    assert "lacks progress" in failing(tree, "tests/conformance/test_integrations.py")


def test_a_swallowed_timeout_is_caught(tree: Path) -> None:
    plant(
        tree / ADAPTER,
        "        matter = await self._client.read(reference)\n",
        "        try:\n            matter = await self._client.read(reference)\n"
        '        except AgencyUnavailable:\n            return Progress("submitted")\n',
    )
    plant(
        tree / ADAPTER,
        "from app.cases.port import",
        "from app.errors import AgencyUnavailable\nfrom app.cases.port import",
    )
    assert "progress with read hang was swallowed" in failing(tree, "tests/conformance/test_faults.py")


def test_a_lost_answer_told_as_no_effect_is_caught(tree: Path) -> None:
    plant(
        tree / ADAPTER,
        "        matter = await self._client.register(request.reference, content)\n",
        "        try:\n            matter = await self._client.register(request.reference, content)\n"
        "        except OutcomeUnknown:\n"
        '            raise AgencyUnavailable(self._name, "register", "lost") from None\n',
    )
    plant(
        tree / ADAPTER,
        "from app.cases.port import",
        "from app.errors import AgencyUnavailable, OutcomeUnknown\nfrom app.cases.port import",
    )
    assert "happened, and was told as AgencyUnavailable" in failing(tree, "tests/conformance/test_faults.py")


@pytest.mark.parametrize("folder", [f"services/{SERVICE}", f"integrations/{INTEGRATION}"])
def test_an_unknown_manifest_key_is_caught(tree: Path, folder: str) -> None:
    plant(tree / folder / "manifest.toml", "title =", 'colour = "red"\ntitle =')
    where = "test_services.py" if folder.startswith("services") else "test_integrations.py"
    assert "unknown field `colour`" in failing(tree, f"tests/conformance/{where}")


def test_forbidden_imports_are_caught(tree: Path) -> None:
    """One of each contract, all at once."""
    planted = {
        "integrations import ports": (ADAPTER, f"import services.{SERVICE}.cases"),
        "an integration knows no other": (ADAPTER, f"import integrations.{INTEGRATIONS[0]}.client"),
        "imports point one way": (f"services/{SERVICE}/cases.py", f"import integrations.{INTEGRATION}.client"),
        "a service module knows no other": (f"services/{SERVICE}/cases.py", f"import services.{SERVICES[0]}.port"),
        "rules and ports of services know no HTTP": (f"services/{SERVICE}/port.py", "import litestar"),
    }
    for file, line in planted.values():
        plant(tree / file, "\nfrom ", f"\n{line}\nfrom ")
    said = " ".join(failing(tree, "tests/structure/test_imports.py").replace("\nE", "").split())
    parts = re.split(r" (KEPT|BROKEN)", said)
    broken = [name for name, verdict in zip(parts[::2], parts[1::2], strict=False) if verdict == "BROKEN"]
    assert not [contract for contract in planted if not any(contract in name for name in broken)]


def test_an_operation_nobody_calls_is_caught(tree: Path) -> None:
    manifest = tree / f"integrations/{INTEGRATION}/manifest.toml"
    manifest.write_text(manifest.read_text() + "spare = { safe = true }\n")
    assert "spare" in failing(tree, "tests/conformance/test_integrations.py")


def plant(file: Path, healthy: str, faulty: str) -> None:
    text = file.read_text("utf-8")
    assert healthy in text, f"{file.name} has no {healthy!r} to spoil"
    file.write_text(text.replace(healthy, faulty, 1), "utf-8")


def failing(tree: Path, *where: str) -> str:
    """What the suite says; it has to fail."""
    result = suite(tree, *where)
    assert result.returncode == 1, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def suite(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", f"{OTHERS} and not scaffolds", *arguments)


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LOKET_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**environment, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


def digests(tree: Path) -> dict[str, str]:
    return {
        path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in tree.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

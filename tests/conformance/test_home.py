"""Every part that a module puts into citizens' homes: one of a kind, with a title in both languages, and a port."""

import importlib
import inspect

import pytest

from app.discovery import route_handlers
from app.home.own import OWN
from app.home.port import Part
from app.home.schemas import VIEWS
from app.ports import port_type
from app.settings import ROOT
from app.texts import load_texts, text, text_roots
from tests.conformance.folders import SERVICES

pytestmark = pytest.mark.tree


def parts_of(module: str) -> list[type[Part[object]]]:
    if not (ROOT / "services" / module / "home.py").exists():
        return []
    where = importlib.import_module(f"services.{module}.home")
    found = [kind for _, kind in inspect.getmembers(where, inspect.isclass) if issubclass(kind, Part)]
    return [kind for kind in found if kind.__module__ == where.__name__]


DECLARED = [(module, kind) for module in SERVICES for kind in parts_of(module)]
ALL = [*(("", kind) for kind in OWN), *DECLARED]


@pytest.mark.parametrize("name", SERVICES)
def test_a_module_has_one_part_of_a_kind(name: str) -> None:
    kinds = [part.kind for part in parts_of(name)]
    assert len(set(kinds)) == len(kinds)
    assert not (ROOT / "services" / name / "home.py").exists() or kinds


@pytest.mark.parametrize(("module", "part"), ALL)
def test_it_is_whole(module: str, part: type[Part[object]]) -> None:
    assert not inspect.isabstract(part)
    assert part.kind in VIEWS
    load_texts(*text_roots())
    title = f"home.{module}.{part.kind}" if module else f"home.{part.kind}"
    assert title not in (text(title, "id"), text(title, "en")), f"{title} stands in no texts.toml"
    assert part.link in {path for handler in route_handlers() for path in handler.paths}
    assert not part.serves or port_type(part.serves)

"""The list of planted faults: each still fits the tree, and a few are tried. `make planted-faults` tries them all."""

import pytest

from app.settings import ROOT
from tests.planted.planting import Planted, faults, plant, planted

LEAST = 20


@pytest.mark.tree
def test_there_are_enough_of_them() -> None:
    assert len({fault.name for fault in faults()}) == len(faults()) >= LEAST


@pytest.mark.tree
@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.name)
def test_each_still_fits_and_is_python(fault: Planted) -> None:
    compile(planted(fault), fault.file, "exec")
    assert all((ROOT / test).is_file() for test in fault.test.split())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", [fault for fault in faults() if fault.quick], ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught(fault: Planted) -> None:
    verdict = plant(fault)
    assert verdict.caught, verdict.words

"""The interval of an audit covers the truth, on ledgers whose truth is known."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulate_books", ROOT / "benchmarks" / "simulate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 2, 7, 8])
def test_the_interval_covers_the_truth_in_95_of_100_ledgers(simulation: ModuleType, number: int) -> None:
    figures = simulation.coverage(simulation.DESIGNS[number], 400)
    # 400 ledgers tell a coverage to within 0.033 with three standard errors
    assert 0.917 <= figures["covers"] <= 0.99
    assert abs(figures["error"]) < 0.004
    assert figures["feedback_covers"] < 0.1

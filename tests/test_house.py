"""The house stands: floors import downward only, data holds no code, code holds no label."""

import ast
import tomllib
from pathlib import Path

import pytest

from nlp.taxonomy import Taxonomy

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("nlp", "models", "matching", "evaluation", "training", "serving")
BELOW = {floor: set(FLOORS[: number + 1]) for number, floor in enumerate(FLOORS)}
BELOW["serving"] -= {"training"}
FILES = [path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")]


def imported_floors(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names & set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_floors_import_downward_only(path: Path) -> None:
    floor = path.relative_to(ROOT).parts[0]
    assert imported_floors(ast.parse(path.read_text("utf-8"))) <= BELOW[floor]


def test_datasets_hold_no_python() -> None:
    assert not list((ROOT / "datasets").rglob("*.py"))


@pytest.mark.parametrize("path", [*FILES, ROOT / "zhixu.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_domain_name_stands_in_code(path: Path) -> None:
    taxonomy = Taxonomy.load()
    labels = set(taxonomy.need_ids) | {taxonomy.name(label) for label in taxonomy.need_ids}
    constants = {
        node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)
    }
    assert not labels & {value for value in constants if isinstance(value, str)}


def test_every_dataset_file_is_packed_into_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = settings["tool"]["setuptools"]["data-files"]["share/zhixu/datasets"]
    packed = {path.name for pattern in patterns for path in ROOT.glob(pattern)}
    assert packed == {path.name for path in (ROOT / "datasets").iterdir()}

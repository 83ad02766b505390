import json
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "retraining.md"
ZHIXU = Path(sys.executable).with_name("zhixu")


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", TUTORIAL.read_text("utf-8"), re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.strip().splitlines()]
    return [words for words in lines if words[0] == "zhixu"]


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files the tutorial asks for, cut from the project's own messages; the old ones are few, so that more help."""
    lines = (ROOT / "datasets" / "messages.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    plain = [row for row in rows if not row.get("hard")]
    random.Random(7).shuffle(plain)
    write(tmp_path / "old.jsonl", plain[:250])
    write(tmp_path / "batch.jsonl", [*plain[250:850], plain[900]])
    write(tmp_path / "test.jsonl", plain[900:1500])
    return tmp_path


def annotate(folder: Path) -> None:
    """What two people in Label Studio would have made of the suggested tasks."""
    tasks = json.loads((folder / "tasks.json").read_text("utf-8"))
    for task in tasks:
        told = task["predictions"][0]["result"]
        task["annotations"] = [{"completed_by": who, "result": told} for who in (1, 2)]
    (folder / "annotated.json").write_text(json.dumps(tasks, ensure_ascii=False), "utf-8")


@pytest.mark.slow
def test_every_command_of_the_tutorial_does_what_it_says(folder: Path) -> None:
    told: dict[str, str] = {}
    for words in commands():
        if words[1:3] == ["labels", "import"]:
            annotate(folder)
        done = subprocess.run(
            [str(ZHIXU), *words[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"MLFLOW_LOGGING_LEVEL": "ERROR", "COLUMNS": "300"},
        )
        expected = 1 if words[1:3] == ["labels", "check"] else 0
        assert done.returncode == expected, (words, done.stdout[-1500:], done.stderr[-1500:])
        told[" ".join(words[1:3])] = done.stdout
    assert "leakage" in (folder / "batch.html").read_text("utf-8")
    assert len((folder / "clean.jsonl").read_text("utf-8").splitlines()) == 600
    assert "challenger" in told["registry list"]
    assert "more complaints" in told["registry log"].replace("\n", "")
    assert (folder / "next.csv").read_text("utf-8-sig").count("\n") >= 20

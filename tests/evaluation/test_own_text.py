import json
import shutil
from pathlib import Path

import pytest

from evaluation.own_text import check
from nlp.paths import dataset_path

DIRECTORY = dataset_path("quotas.yaml").parent
CIVIC = Path(__file__).resolve().parents[3] / "shared" / "civic"


@pytest.mark.slow
def test_every_check_of_the_own_text_holds() -> None:
    broken = [f"{finding.check}: {finding.told}" for finding in check(DIRECTORY) if not finding.holds]
    assert broken == []


@pytest.mark.slow
@pytest.mark.skipif(not CIVIC.is_dir(), reason=f"no real text at {CIVIC} to compare with")
def test_nothing_was_copied_from_real_text() -> None:
    shared = [finding for finding in check(DIRECTORY, [CIVIC]) if "in common" in finding.check]
    assert len(shared) == 3
    assert [finding.told for finding in shared if not finding.holds] == []


@pytest.mark.slow
def test_a_copied_and_a_mislabelled_row_are_named(tmp_path: Path) -> None:
    for file in DIRECTORY.iterdir():
        shutil.copy(file, tmp_path)
    rows = (tmp_path / "messages.jsonl").read_text("utf-8").splitlines()
    first, second = json.loads(rows[0]), json.loads(rows[1])
    first["text"] = second["text"]
    second["tier"] = None
    edited = [json.dumps(row, ensure_ascii=False) for row in (first, second)]
    (tmp_path / "messages.jsonl").write_text("\n".join([*edited, *rows[2:]]) + "\n", "utf-8")
    broken = {finding.check: finding.told for finding in check(tmp_path) if not finding.holds}
    assert first["id"] in broken["messages: the same text twice"]
    assert second["id"] in broken["messages: labels at odds with the guide"]
    assert "messages: most similar pair" in broken

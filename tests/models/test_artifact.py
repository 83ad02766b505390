import json
from pathlib import Path

import numpy as np
import pytest

from models.artifact import MANIFEST, ArtifactError, pack_arrays, read_artifact, write_artifact

FILES = {"a.txt": "路灯".encode(), "b.safetensors": pack_arrays({"x": np.arange(3)})}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_artifact(tmp_path / "model", FILES, {"n": 1})
    return tmp_path / "model"


def test_what_is_written_is_read_back(directory: Path) -> None:
    artifact = read_artifact(directory)
    assert artifact.files == FILES
    assert artifact.facts == {"n": 1}
    assert artifact.arrays("b.safetensors")["x"].tolist() == [0, 1, 2]


def test_same_files_same_version_whatever_the_facts(directory: Path, tmp_path: Path) -> None:
    assert (
        write_artifact(tmp_path / "other", dict(reversed(FILES.items())), {"n": 2})
        == read_artifact(directory).version
    )


@pytest.mark.parametrize("name", FILES)
def test_one_altered_byte_is_refused_by_name(directory: Path, name: str) -> None:
    content = bytearray((directory / name).read_bytes())
    content[-1] ^= 1
    (directory / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        read_artifact(directory)


def test_a_missing_file_is_refused_by_name(directory: Path) -> None:
    (directory / "a.txt").unlink()
    with pytest.raises(ArtifactError, match=r"a\.txt"):
        read_artifact(directory)


@pytest.mark.parametrize(
    "change",
    [{"format": 99}, {"version": "0" * 12}, {"files": {"../a": "0"}}, {"files": None}],
)
def test_a_changed_manifest_is_refused(directory: Path, change: dict[str, object]) -> None:
    manifest = json.loads((directory / MANIFEST).read_bytes())
    (directory / MANIFEST).write_text(json.dumps(manifest | change))
    with pytest.raises(ArtifactError, match=r"train (it )?again"):
        read_artifact(directory)


def test_rewriting_replaces_the_whole(directory: Path) -> None:
    write_artifact(directory, {"c.txt": b"c"}, {})
    assert set(read_artifact(directory).files) == {"c.txt"}
    assert {path.name for path in directory.parent.iterdir()} == {"model"}


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(ArtifactError, match="give another"):
        write_artifact(tmp_path, FILES, {})
    assert (tmp_path / "thesis.doc").exists()

"""Artifacts: a model as a directory of plain files, each checked before it is read.

No pickle: arrays are safetensors, words and settings text. `manifest.json` holds the SHA-256 of every file;
the model's version is the hash of that list, so two artifacts with one version are the same model.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

FORMAT = 1
MANIFEST = "manifest.json"


class ArtifactError(ValueError):
    """An artifact that is missing, altered or of another format, with the remedy."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """The verified content of an artifact directory.

    `files` are the raw bytes by name; `facts` what the trainer noted (data hash, figures).
    """

    version: str
    files: Mapping[str, bytes]
    facts: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A file as UTF-8 text."""
        return self._file(name).decode("utf-8")

    def json(self, name: str) -> Any:
        """A file as JSON."""
        return json.loads(self._file(name))

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """A safetensors file as arrays by name."""
        arrays: dict[str, NDArray[Any]] = load_arrays(self._file(name))
        return arrays

    def _file(self, name: str) -> bytes:
        try:
            return self.files[name]
        except KeyError:
            raise ArtifactError(f"artifact {self.version}: no file {name!r}; train it again") from None


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as the bytes of a safetensors file, the same bytes for the same arrays."""
    packed: bytes = save_arrays({name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())})
    return packed


def pack_json(content: Any) -> bytes:
    """JSON as bytes, the same bytes for the same content."""
    return (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def version_of(files: Mapping[str, bytes]) -> str:
    """The version of an artifact with these files: 12 hexadecimal digits."""
    return _version(_hashes(files))


def write_artifact(directory: Path, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> str:
    """Write an artifact, whole or not at all, in place of any artifact already there; returns its version.

    Raises ArtifactError when `directory` holds something that is not an artifact.
    """
    if directory.exists() and any(directory.iterdir()) and not (directory / MANIFEST).exists():
        raise ArtifactError(f"{directory} is not empty and holds no {MANIFEST}; give another --out")
    hashes = _hashes(files)
    manifest = {"format": FORMAT, "version": _version(hashes), "files": hashes, "facts": dict(facts)}
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        for name, content in files.items():
            (staging / name).write_bytes(content)
        (staging / MANIFEST).write_bytes(pack_json(manifest))
        staging.chmod(0o755)
        if directory.exists():
            old = staging.with_name(staging.name + "-old")
            directory.rename(old)
            staging.rename(directory)
            shutil.rmtree(old)
        else:
            staging.rename(directory)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return str(manifest["version"])


def read_artifact(directory: Path) -> Artifact:
    """Read and verify an artifact.

    Raises ArtifactError naming the file that is missing or altered.
    """
    try:
        manifest = json.loads((directory / MANIFEST).read_bytes())
        hashes: dict[str, str] = dict(manifest["files"])
    except FileNotFoundError:
        raise ArtifactError(f"{directory}: no {MANIFEST}; give the directory `zhixu train` wrote") from None
    except (ValueError, KeyError, TypeError):
        raise ArtifactError(f"{directory}/{MANIFEST}: not a manifest; restore it or train again") from None
    if manifest.get("format") != FORMAT:
        raise ArtifactError(
            f"{directory}: format {manifest.get('format')!r}, this version reads {FORMAT}; train again"
        )
    if manifest.get("version") != _version(hashes):
        raise ArtifactError(
            f"{directory}/{MANIFEST}: version and file hashes disagree; restore it or train again"
        )
    files = {}
    for name, expected in hashes.items():
        if Path(name).name != name:
            raise ArtifactError(f"{directory}/{MANIFEST}: {name!r} is not a plain file name; train again")
        try:
            content = (directory / name).read_bytes()
        except OSError:
            raise ArtifactError(f"{directory}: file {name!r} is missing; restore it or train again") from None
        if hashlib.sha256(content).hexdigest() != expected:
            raise ArtifactError(f"{directory}: file {name!r} was altered; restore it or train again")
        files[name] = content
    return Artifact(str(manifest["version"]), files, manifest.get("facts", {}))


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}


def _version(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(sorted(hashes.items()))).encode()).hexdigest()[:12]

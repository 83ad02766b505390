"""Checkpoints: what a training run has already fitted, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from models.artifact import pack_arrays

Arrays = dict[str, NDArray[Any]]


class Checkpoints:
    """Arrays by name in `folder`, valid for one `key` (a hash of everything the run depends on)."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder / key[:32]
        if folder.exists() and not self._folder.exists():
            shutil.rmtree(folder)
        self._folder.mkdir(parents=True, exist_ok=True)

    def kept(self, name: str, compute: Callable[[], Mapping[str, NDArray[Any]]]) -> Arrays:
        """The arrays kept under `name`, computed and kept first where they are not there yet."""
        path = self._folder / f"{name}.safetensors"
        if not path.exists():
            staging = path.with_suffix(".writing")
            with staging.open("wb") as stream:
                stream.write(pack_arrays(compute()))
                stream.flush()
                os.fsync(stream.fileno())
            staging.replace(path)
        arrays: Arrays = load_file(path)
        return {part: np.ascontiguousarray(array) for part, array in arrays.items()}

    def clear(self) -> None:
        """Forget everything; the run has finished."""
        shutil.rmtree(self._folder.parent, ignore_errors=True)

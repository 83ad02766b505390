"""The environment a model was trained in, as facts of its artifact."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = (
    "numpy", "scipy", "scikit-learn", "rjieba", "opencc", "safetensors", "onnxruntime", "torch", "transformers",
    "sentence-transformers", "cleanlab",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """Python, system, processors, and the versions of the packages a result depends on."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "packages": found,
    }


def numpy_environment() -> tuple[str, ...]:
    """What fitted numbers depend on beside their inputs."""
    return tuple(f"{name} {version(name)}" for name in ("numpy", "scipy"))

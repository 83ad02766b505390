"""Model references: one way everywhere to say which model is meant."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DEFAULT = "default"

_ALIAS = re.compile(r"(?:models:/)?[\w.-]+(?:@[\w-]+|/\d+)?")


def resolve(reference: str | Path | None) -> Path:
    """The directory of a model reference.

    A reference is a directory; `default` (also None) for the embedded model; or a registered model: `champion`,
    `NAME@champion`, `NAME/3`. The registry is asked in a process of its own, so that it takes no memory where
    models only answer. Raises FileNotFoundError with the remedy.
    """
    if reference is None or str(reference) == DEFAULT:
        return Path(__file__).resolve().parent / "default"
    directory = Path(reference).expanduser()
    if directory.is_dir():
        return directory
    told = str(reference)
    if not _ALIAS.fullmatch(told):
        raise FileNotFoundError(f"model {told!r} is no directory; give one that `zhixu train` wrote")
    asked = subprocess.run(
        [sys.executable, "-P", "-m", "models.registry", told],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    if asked.returncode != 0:
        problem = (asked.stderr.strip().splitlines() or ["the registry did not answer"])[-1]
        raise FileNotFoundError(
            f"model {told!r} is no directory, and no registered model ({problem}); give a directory that "
            "`zhixu train` wrote or an alias `zhixu registry list` shows"
        )
    return Path(asked.stdout.strip())

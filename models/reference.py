"""Model references: one way everywhere to say which model is meant."""

from __future__ import annotations

from pathlib import Path

DEFAULT = "default"


def resolve(reference: str | Path | None) -> Path:
    """The directory of a model reference: a path, or `default` (also None) for the embedded model.

    Raises FileNotFoundError with the remedy.
    """
    if reference is None or str(reference) == DEFAULT:
        return Path(__file__).resolve().parent / "default"
    directory = Path(reference).expanduser()
    if not directory.is_dir():
        raise FileNotFoundError(
            f"model {str(reference)!r} is no directory; give one that `zhixu train` wrote"
        )
    return directory

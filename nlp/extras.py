"""Optional packages: a missing one becomes the line that installs it."""

from __future__ import annotations

import importlib
from typing import Any


class MissingExtraError(ImportError):
    """A package that belongs to an extra which is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module.split('.')[0]} is not installed; run: pip install 'zhixu[{extra}]'")


def require(module: str, extra: str) -> Any:
    """The module, or MissingExtraError with the pip line for `extra`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(module, extra) from error

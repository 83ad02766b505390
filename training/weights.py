"""Weights told on the command line: PATTERN=WEIGHT, the pattern over file names."""

from __future__ import annotations

from collections.abc import Sequence

import typer

MOST = 100


def parse_weights(told: Sequence[str], option: str) -> list[tuple[str, float]]:
    """Pairs of pattern and weight, a number from 0 to `MOST`. Raises typer.BadParameter naming the option."""
    return [_weight(one, option) for one in told]


def _weight(told: str, option: str) -> tuple[str, float]:
    pattern, _, number = told.rpartition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = -1.0
    if not pattern or not 0 <= weight <= MOST:
        raise typer.BadParameter(
            f"{told!r} is not PATTERN=WEIGHT with a weight from 0 to {MOST}", param_hint=option
        )
    return pattern, weight

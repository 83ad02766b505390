"""How many cases of each stratum an audit draws for a wanted precision, and which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_Z = 1.959964
_SURE, _UNSURE = 0.95, 0.05  # no stratum is taken for flawless or hopeless before it was looked at
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def stratify(
    domains: Sequence[str], confidences: Floats, borders: Sequence[float]
) -> tuple[Codes, list[str]]:
    """Strata of predictions by domain and band of confidence: codes `(n)` and the strata's names.

    `borders` in 0–1 part the bands; a name reads `domain|lower-upper`.
    """
    edges = [0.0, *sorted(borders), 1.0]
    bands = np.searchsorted(np.asarray(edges[1:-1]), confidences, side="right")
    names, numbers = np.unique(np.asarray(domains, dtype=str), return_inverse=True)
    cells, codes = np.unique(numbers * len(edges) + bands, return_inverse=True)
    labels = [
        f"{names[cell // len(edges)]}|{edges[cell % len(edges)]:.2f}-{edges[cell % len(edges) + 1]:.2f}"
        for cell in cells.tolist()
    ]
    return codes.astype(np.int64), labels


def allocate(sizes: Codes, expected: Floats, half_width: float, minimum: int) -> Codes:
    """Cases to draw from each stratum so that the 95% interval of the share reaches `half_width` to either side.

    Neyman's optimal allocation (1934; Cochran 1977, §5.5) for strata of `sizes` whose shares are `expected` (0–1),
    at least `minimum` from each, never more than it holds. Raises ValueError for a width outside 0–0.5.
    """
    if not 0 < half_width < 0.5:
        raise ValueError(f"precision {half_width} is no half width between 0 and 0.5; give one such as 0.02")
    share = np.clip(expected, _UNSURE, _SURE)
    spread = np.sqrt(share * (1 - share))
    population = float(sizes.sum())
    wanted = (half_width / _Z * population) ** 2
    total = (sizes * spread).sum() ** 2 / (wanted + (sizes * spread**2).sum())
    cases = np.maximum(np.ceil(total * sizes * spread / max((sizes * spread).sum(), 1e-12)), minimum)
    drawn: Codes = np.minimum(cases, sizes).astype(np.int64)
    return drawn


def planned_half_width(sizes: Codes, expected: Floats, cases: Codes) -> float:
    """The half width of the 95% interval that an allocation is expected to give."""
    share = np.clip(expected, _UNSURE, _SURE)
    weights = sizes / sizes.sum()
    variance = weights**2 * (1 - cases / sizes) * share * (1 - share) / np.maximum(cases, 1)
    return float(_Z * np.sqrt(variance.sum()))


def draw(codes: Codes, cases: Codes, seed: int) -> Codes:
    """Rows drawn without replacement, `cases[s]` of stratum `s`, in random order; the same seed draws the same."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    starts = np.searchsorted(codes[order], np.arange(len(cases)))
    rank = np.arange(len(codes)) - starts[codes[order]]
    chosen: Codes = rng.permutation(order[rank < cases[codes[order]]])
    return chosen

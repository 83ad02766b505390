"""Shares estimated from a stratified random sample, for many groups at once.

Hájek's ratio estimator with weights population/answered of the stratum, its variance by linearisation inside strata
with finite population correction (Särndal, Swensson and Wretman 1992, ch. 5 and 10), and a 95% interval on the
logit scale with Student's quantile (Korn and Graubard 1998). `benchmarks/simulate.py` measures its coverage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEVEL = 0.975
_LENT = 1.5  # cases with the group's own share lent to each stratum, lest a few that agree seem certain
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shares:
    """Estimates of `n_groups` shares, NaN where a group holds no case.

    `cases` counts the judged cases, `population` estimates how many the group holds, `error` is the standard error,
    all `(n_groups,)`; `low` and `high` bound the 95% interval in 0–1.
    """

    value: Floats
    low: Floats
    high: Floats
    error: Floats
    cases: Codes
    population: Floats


def estimate_shares(
    right: NDArray[np.bool_],
    applies: NDArray[np.bool_],
    groups: Codes,
    n_groups: int,
    strata: Codes,
    sizes: Floats,
) -> Shares:
    """The share of right cases among those a figure applies to, group by group.

    `right`, `applies`, `groups` and `strata` are `(n_cases,)` over every case drawn and judged; cases a figure does
    not apply to still count as drawn. `sizes` `(n_strata,)` are the strata's population sizes. Raises ValueError
    when a stratum gave more cases than it holds.
    """
    n_strata = len(sizes)
    drawn = np.bincount(strata, minlength=n_strata).astype(float)
    if (drawn > sizes + 1e-6).any():
        raise ValueError("a stratum gave more cases than it holds; its inclusion probability must be wrong")
    weights = np.divide(sizes, drawn, out=np.zeros(n_strata), where=drawn > 0)
    cells = groups * n_strata + strata
    shape = (n_groups, n_strata)
    counts = np.bincount(cells[applies], minlength=n_groups * n_strata).reshape(shape).astype(float)
    hits = np.bincount(cells[applies & right], minlength=n_groups * n_strata).reshape(shape).astype(float)
    population = counts @ weights
    value = np.divide(hits @ weights, population, out=np.full(n_groups, np.nan), where=population > 0)
    variance = _variance(counts, hits, value, drawn, sizes, weights) / np.maximum(population, 1e-12) ** 2
    cases = counts.sum(axis=1)
    low, high = _interval(value, variance, cases, _kish(counts, weights), _censused(counts, drawn, sizes))
    return Shares(value, low, high, np.sqrt(variance), cases.astype(np.int64), population)


def _variance(
    counts: Floats, hits: Floats, value: Floats, drawn: Floats, sizes: Floats, weights: Floats
) -> Floats:
    """Variance `(n_groups,)` of the weighted sum of residuals; a stratum of one case keeps its whole square."""
    share = np.nan_to_num(value)[:, None]
    squares = hits * (1 - 2 * share) + share * share * counts
    sums = hits - share * counts
    with np.errstate(invalid="ignore", divide="ignore"):
        lent = _LENT * (counts / drawn) * share * (1 - share)
        spread = (squares + lent) / (drawn + _LENT) - (sums / (drawn + _LENT)) ** 2
        spread = np.where(drawn > 1, spread * drawn / (drawn - 1), squares + lent)
    part = np.where(drawn > 0, weights * (sizes - drawn), 0.0)
    variance: Floats = np.maximum(np.where(drawn > 0, spread, 0.0) @ part, 0.0)
    return variance


def _kish(counts: Floats, weights: Floats) -> Floats:
    """How many equally weighted cases a group's cases are worth (Kish 1965)."""
    squares = counts @ (weights * weights)
    return np.divide((counts @ weights) ** 2, squares, out=np.zeros(len(counts)), where=squares > 0)


def _censused(counts: Floats, drawn: Floats, sizes: Floats) -> NDArray[np.bool_]:
    """Groups every case of whose strata was judged: nothing is left to estimate."""
    complete = np.abs(drawn - sizes) < 1e-6
    found: NDArray[np.bool_] = ((counts > 0) & ~complete).sum(axis=1) == 0
    return found


def _interval(
    value: Floats, variance: Floats, cases: Floats, worth: Floats, censused: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    from scipy import stats

    quantile = stats.t.ppf(_LEVEL, np.maximum(cases - 1, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        odds = np.log(value / (1 - value))
        half = quantile * np.sqrt(variance) / (value * (1 - value))
        low, high = 1 / (1 + np.exp(half - odds)), 1 / (1 + np.exp(-half - odds))
    # a sample that never errs (or always does) has no spread of its own: Wilson's interval speaks for it
    flat = (variance <= 0) | (value <= 0) | (value >= 1)
    z2 = quantile**2
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (value + z2 / (2 * worth)) / (1 + z2 / worth)
        reach = np.sqrt(z2) / (1 + z2 / worth) * np.sqrt(value * (1 - value) / worth + z2 / (4 * worth**2))
    low = np.where(flat, np.maximum(centre - reach, 0.0), low)
    high = np.where(flat, np.minimum(centre + reach, 1.0), high)
    low, high = np.where(censused, value, low), np.where(censused, value, high)
    empty = cases == 0
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)

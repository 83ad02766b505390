"""Metrics of labelled predictions, with 95% percentile bootstrap intervals (Efron and Tibshirani 1993).

Resampling records is resampling the cells of the confusion matrix, so a thousand replicates are one
multinomial draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_REPLICATES = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def wilson(hits: int, n: int) -> Estimate:
    """A share with its 95% score interval (Wilson 1927); (0, 0, 1) where nothing was counted."""
    if n == 0:
        return Estimate(0.0, 0.0, 1.0)
    z, share = 1.959964, hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Estimate(share, max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def cohen_kappa(first: Sequence[str], second: Sequence[str], seed: int = 7) -> Estimate:
    """Agreement of two annotators beyond chance (Cohen 1960), at most 1, with its bootstrap interval.

    Raises ValueError when there is nothing to compare.
    """
    if not first or len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} labels; give as many of both, one at least")
    names = sorted({*first, *second})
    table = np.zeros((len(names), len(names)))
    np.add.at(table, ([names.index(a) for a in first], [names.index(b) for b in second]), 1)
    draws = np.random.default_rng(seed).multinomial(len(first), table.ravel() / len(first), N_REPLICATES)
    kappas = _kappa(np.concatenate([table[None], draws.reshape(-1, *table.shape)]) / len(first))
    return _estimate(float(kappas[0]), kappas[1:])


def _kappa(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    agreed = np.einsum("rii->r", shares)
    chance = (shares.sum(axis=1) * shares.sum(axis=2)).sum(axis=1)
    kappas: NDArray[np.float64] = np.where(chance < 1, (agreed - chance) / np.maximum(1 - chance, 1e-12), 1.0)
    return kappas


@dataclass(frozen=True, slots=True)
class ClassificationReport:
    """Figures of one decision over `n` records; `per_class` maps a label to precision, recall, F1, support."""

    n: int
    accuracy: Estimate
    macro_f1: Estimate
    per_class: dict[str, dict[str, Any]]
    confusion: list[list[int]]
    labels: tuple[str, ...]


def classification_report(
    truth: Sequence[str], given: Sequence[str], labels: Sequence[str], seed: int = 7
) -> ClassificationReport:
    """Compare `given` with `truth`; macro-F1 is the mean over the labels that stand in `truth`.

    Raises ValueError when there is nothing to compare.
    """
    if not truth or len(truth) != len(given):
        raise ValueError(
            f"{len(truth)} true and {len(given)} given labels; give as many of both, one at least"
        )
    names = tuple(dict.fromkeys([*labels, *truth, *given]))
    number = {label: n for n, label in enumerate(names)}
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, ([number[t] for t in truth], [number[g] for g in given]), 1)
    draws = np.random.default_rng(seed).multinomial(len(truth), confusion.ravel() / len(truth), N_REPLICATES)
    replicates = draws.reshape(N_REPLICATES, *confusion.shape)
    counted = confusion.sum(axis=1) > 0
    precision, recall, f1 = _scores(confusion[None])
    f1_replicates = _scores(replicates)[2]
    diagonal = np.einsum("rii->r", replicates) / len(truth)
    per_class = {
        label: {
            "precision": float(precision[0, n]),
            "recall": float(recall[0, n]),
            "f1": asdict_estimate(_estimate(float(f1[0, n]), f1_replicates[:, n])),
            "support": int(confusion[n].sum()),
        }
        for n, label in enumerate(names)
        if counted[n]
    }
    return ClassificationReport(
        len(truth),
        _estimate(float(np.trace(confusion) / len(truth)), diagonal),
        _estimate(float(f1[0, counted].mean()), f1_replicates[:, counted].mean(axis=1)),
        per_class,
        confusion.tolist(),
        names,
    )


def asdict_estimate(estimate: Estimate) -> dict[str, float]:
    """An estimate as a JSON object."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def expected_calibration_error(
    confidence: Sequence[float], right: Sequence[bool], n_bins: int = 10, seed: int = 7
) -> Estimate:
    """Mean gap between confidence and accuracy over equal-width bins, weighted by size (Guo et al. 2017)."""
    sure, good = np.asarray(confidence, float), np.asarray(right, float)
    rows = np.random.default_rng(seed).integers(0, len(sure), (N_REPLICATES, len(sure)))
    bins = np.minimum((sure * n_bins).astype(int), n_bins - 1)

    def gap(chosen: NDArray[np.int64]) -> float:
        sums = np.bincount(bins[chosen], (sure - good)[chosen], n_bins)
        return float(np.abs(sums).sum() / len(chosen))

    return _estimate(gap(np.arange(len(sure))), np.asarray([gap(row) for row in rows]))


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Answers of like confidence: the mean confidence and the accuracy, with its interval, both in 0–1."""

    n: int
    confidence: float
    accuracy: Estimate


def reliability(
    confidence: Sequence[float], right: Sequence[bool], n_bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram's bins of equal width that hold answers (Niculescu-Mizil and Caruana 2005)."""
    sure, good = np.asarray(confidence, float), np.asarray(right, bool)
    bins = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    return tuple(
        ReliabilityBin(
            int((bins == number).sum()),
            float(sure[bins == number].mean()),
            wilson(int(good[bins == number].sum()), int((bins == number).sum())),
        )
        for number in np.unique(bins).tolist()
    )


def f1_scores(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 of each class (n_tables, n_classes) from confusion tables (n_tables, n_classes, n_classes), truth by row."""
    return _scores(confusion)[2]


def _scores(
    confusion: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    hits = np.einsum("rii->ri", confusion).astype(float)
    given, true = confusion.sum(axis=1), confusion.sum(axis=2)
    zeros = np.zeros_like(hits)
    precision = np.divide(hits, given, out=zeros.copy(), where=given > 0)
    recall = np.divide(hits, true, out=zeros.copy(), where=true > 0)
    f1 = np.divide(2 * hits, given + true, out=zeros.copy(), where=given + true > 0)
    return precision, recall, f1


def _estimate(value: float, replicates: NDArray[np.float64]) -> Estimate:
    low, high = np.percentile(replicates, [2.5, 97.5])
    return Estimate(value, float(low), float(high))

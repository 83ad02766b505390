"""Calibration: scores to probabilities one can act on, and the thresholds that follow from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from models.heads import probabilities

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def fit_temperature(scores: Floats, truth: Integers) -> float:
    """The temperature that minimises the log loss of held-out `scores` (n, n_labels) against `truth` (n)."""

    def loss(log_temperature: float) -> float:
        given = probabilities(scores, float(np.exp(log_temperature)), exclusive=True)
        return float(-np.log(np.maximum(given[np.arange(len(truth)), truth], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def fit_sigmoid_temperature(scores: Floats, truth: NDArray[np.bool_]) -> float:
    """The temperature of independent labels: `scores` and `truth` are (n, n_labels)."""

    def loss(log_temperature: float) -> float:
        given = np.clip(
            probabilities(scores, float(np.exp(log_temperature)), exclusive=False), 1e-7, 1 - 1e-7
        )
        return float(-np.where(truth, np.log(given), np.log1p(-given)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def threshold_for_accuracy(confidence: Floats, right: NDArray[np.bool_], target: float) -> float:
    """The lowest confidence above which answers were right at least `target` of the time.

    1.0 where no such confidence exists.
    """
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    reached = np.flatnonzero(accuracy >= target)
    return float(confidence[order[reached[-1]]]) if len(reached) else 1.0


def threshold_for_f(score: Floats, truth: NDArray[np.bool_], beta: float) -> float:
    """The threshold with the best F-beta; beta above 1 favours recall."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(truth[order])
    taken = np.arange(1, len(order) + 1)
    f = (1 + beta**2) * hits / np.maximum(taken + beta**2 * truth.sum(), 1e-9)
    return float(score[order[int(np.argmax(f))]]) if len(order) and truth.any() else 1.0

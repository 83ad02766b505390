"""Calibration: scores to probabilities one can act on, and the thresholds that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from models.heads import probabilities

Floats = NDArray[np.float32]

_EVEN = 1e-3  # keeps the scales of rare labels near the others'


def fit_scaling(scores: Floats, truth: NDArray[Any], *, exclusive: bool) -> tuple[Floats, Floats]:
    """Scale and shift (n_labels each) that minimise the log loss of held-out `scores` (n, n_labels).

    Vector scaling (Guo et al. 2017, "On calibration of modern neural networks") where labels are exclusive,
    `truth` then being class numbers (n); otherwise Platt scaling of each label, `truth` being 0/1 (n, n_labels).
    """
    n_labels = scores.shape[1]
    wanted = np.eye(n_labels)[truth] if exclusive else truth.astype(float)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scale, shift = parameters[:n_labels], parameters[n_labels:]
        given = probabilities((scores * scale + shift).astype(np.float32), exclusive=exclusive)
        safe = np.clip(given, 1e-12, 1 - 1e-12)
        losses = wanted * np.log(safe) + (0.0 if exclusive else (1 - wanted) * np.log1p(-safe))
        error = (given - wanted) / len(scores)
        slack = parameters[:n_labels] - parameters[:n_labels].mean()
        gradient = np.concatenate([(error * scores).sum(axis=0) + _EVEN * slack, error.sum(axis=0)])
        return float(-losses.sum() / len(scores) + _EVEN / 2 * (slack**2).sum()), gradient

    start = np.concatenate([np.full(n_labels, 3.0), np.zeros(n_labels)])
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.05, 50.0)] * n_labels + [(-50.0, 50.0)] * n_labels,
    ).x
    return found[:n_labels].astype(np.float32), found[n_labels:].astype(np.float32)


def fit_temperature(scores: Floats, truth: NDArray[np.int64]) -> float:
    """The factor in 0.1–10 on `scores` (n, n_labels) with the least log loss (Guo et al. 2017)."""
    rows = np.arange(len(truth))

    def loss(log_factor: float) -> float:
        given = probabilities((scores * np.exp(log_factor)).astype(np.float32), exclusive=True)
        return float(-np.log(np.maximum(given[rows, truth], 1e-12)).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.1), np.log(10)), method="bounded")
    return float(np.exp(found.x))


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

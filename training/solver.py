"""The solver: regularised least squares for every output at once, with held-out scores.

Rifkin, Yeo and Poggio (2003, "Regularized least-squares classification"): one factorisation of the Gram
matrix serves all outputs, so a batch of thousands is learned in seconds, to the same optimum every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from training.inputs import Inputs

Floats = NDArray[np.float32]

MOST_ROWS_FOR_GRAM = 12_000
N_LANDMARKS = 3072
_BLOCK = 4096
_SMALLEST_EIGENVALUE = 1e-3


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights (n_inputs, n_outputs), bias (n_outputs), and scores (n_rows, n_outputs) each row's fold never saw."""

    weights: Floats
    bias: Floats
    held_out: Floats


def fit(
    inputs: Inputs,
    targets: Floats,
    folds: NDArray[np.int64],
    penalty: float,
    weights: Floats | None = None,
    progress: Callable[[], None] | None = None,
) -> Fit:
    """Least-squares fit of `inputs` (n_rows) to `targets` (n_rows, n_outputs), `penalty` on the weights.

    `folds` (n_rows) numbers each row's held-out fold, `weights` (n_rows) how much each row counts; `progress` is
    called after each of the folds and at the end. Up to `MOST_ROWS_FOR_GRAM` rows are solved exactly (n_rows²
    numbers of memory); of more, `N_LANDMARKS` rows span the weights (Nyström, Williams and Seeger 2001), and time and
    memory grow linearly with the rows.
    """
    counts = np.ones(len(targets), np.float32) if weights is None else weights
    if inputs.n_rows > MOST_ROWS_FOR_GRAM:
        return _fit_by_landmarks(inputs, targets, folds, penalty, counts, progress)
    learn = _solve_exactly(inputs)

    def fitted(rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
        return learn(rows, targets[rows], penalty, counts[rows])

    def predict(fold: tuple[Floats, Floats], rows: NDArray[np.int64]) -> Floats:
        return inputs.take(rows).scores(fold[0]) + fold[1]

    held_out = _cross_fitted(fitted, predict, targets.shape, folds, progress)
    learned, bias = fitted(np.arange(len(targets)))
    if progress:
        progress()
    return Fit(learned, bias, held_out)


def fit_kernel(
    gram: Floats,
    targets: Floats,
    folds: NDArray[np.int64],
    penalty: float,
    weights: Floats,
    progress: Callable[[], None] | None = None,
) -> Fit:
    """Kernel ridge regression on a Gram matrix (n_rows, n_rows); the fit's weights are the rows' (n_rows, n_outputs)."""

    def fitted(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats, Floats]:
        bias = np.average(targets[rows], axis=0, weights=weights[rows]).astype(np.float32)
        return rows, _dual(gram[np.ix_(rows, rows)], targets[rows] - bias, penalty / weights[rows]), bias

    def predict(fold: tuple[NDArray[np.int64], Floats, Floats], rows: NDArray[np.int64]) -> Floats:
        scores: Floats = gram[np.ix_(rows, fold[0])] @ fold[1] + fold[2]
        return scores

    held_out = _cross_fitted(fitted, predict, targets.shape, folds, progress)
    _, learned, bias = fitted(np.arange(len(targets)))
    if progress:
        progress()
    return Fit(learned, bias, held_out)


def fit_primal(
    inputs: Floats,
    targets: Floats,
    folds: NDArray[np.int64],
    penalty: float,
    weights: Floats,
    progress: Callable[[], None] | None = None,
) -> Fit:
    """Ridge regression on dense `inputs` (n_rows, n_inputs) by normal equations; grows linearly with the rows."""
    bias = np.average(targets, axis=0, weights=weights).astype(np.float32)
    centred = targets - bias
    names = np.unique(folds)
    parts = []
    for fold in names:
        rows = np.flatnonzero(folds == fold)
        scaled = inputs[rows] * weights[rows, None]
        parts.append((rows, inputs[rows].T @ scaled, scaled.T @ centred[rows]))
    gram = np.sum([part[1] for part in parts], axis=0)
    products = np.sum([part[2] for part in parts], axis=0)
    held_out = np.zeros(targets.shape, np.float32)
    ridge = np.full(inputs.shape[1], penalty, np.float32)
    for rows, part, product in parts:
        learned = _dual(gram - part, products - product, ridge)
        held_out[rows] = inputs[rows] @ learned + bias
        if progress:
            progress()
    learned = _dual(gram, products, ridge)
    if progress:
        progress()
    return Fit(learned, bias, held_out)


_Fold = TypeVar("_Fold")


def _cross_fitted(
    fitted: Callable[[NDArray[np.int64]], _Fold],
    predict: Callable[[_Fold, NDArray[np.int64]], Floats],
    shape: tuple[int, ...],
    folds: NDArray[np.int64],
    progress: Callable[[], None] | None,
) -> Floats:
    held_out = np.zeros(shape, np.float32)
    for fold in np.unique(folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(rest):
            held_out[held] = predict(fitted(rest), held)
        if progress:
            progress()
    return held_out


def _dual(gram: Floats, targets: Floats, ridge: Floats) -> Floats:
    """Shares (n_rows, n_outputs) that solve (gram + diag(ridge)) shares = targets; `gram` is overwritten."""
    gram[np.diag_indices_from(gram)] += ridge
    shares: Floats = linalg.solve(gram, targets, assume_a="pos", overwrite_a=True, check_finite=False)
    return shares


_Learn = Callable[[NDArray[np.int64], Floats, float, Floats], tuple[Floats, Floats]]


def _solve_exactly(inputs: Inputs) -> _Learn:
    gram = inputs.near(inputs)

    def learn(
        rows: NDArray[np.int64], targets: Floats, penalty: float, weights: Floats
    ) -> tuple[Floats, Floats]:
        bias = np.average(targets, axis=0, weights=weights).astype(np.float32)
        shares = _dual(gram[np.ix_(rows, rows)], targets - bias, penalty / weights)
        return inputs.take(rows).weights(shares), bias

    return learn


def _fit_by_landmarks(
    inputs: Inputs,
    targets: Floats,
    folds: NDArray[np.int64],
    penalty: float,
    weights: Floats,
    progress: Callable[[], None] | None,
) -> Fit:
    landmarks = inputs.take(landmark_rows(inputs.n_rows, N_LANDMARKS))
    whitening = whitened(landmarks.near(landmarks))
    near = np.empty((inputs.n_rows, whitening.shape[1]), np.float32)
    for start in range(0, inputs.n_rows, _BLOCK):
        block = slice(start, start + _BLOCK)
        near[block] = inputs.take(block).near(landmarks) @ whitening
    found = fit_primal(near, targets, folds, penalty, weights, progress)
    return Fit(landmarks.weights(whitening @ found.weights), found.bias, found.held_out)


def landmark_rows(n_rows: int, n_landmarks: int) -> NDArray[np.int64]:
    """Numbers of rows that stand for all, at most `n_landmarks`, the same for the same counts."""
    chosen = np.random.default_rng(n_landmarks).choice(n_rows, min(n_landmarks, n_rows), replace=False)
    return np.sort(chosen)


def whitened(gram: Floats) -> Floats:
    """The matrix (n, rank) that makes landmarks of this Gram matrix (n, n) orthonormal features."""
    values, basis = linalg.eigh(gram.astype(np.float32), check_finite=False)
    kept = values > _SMALLEST_EIGENVALUE
    return np.asarray(basis[:, kept] / np.sqrt(values[kept]), np.float32)

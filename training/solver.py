"""The solver: regularised least squares for every output at once, with held-out scores.

Rifkin, Yeo and Poggio (2003, "Regularized least-squares classification"): one factorisation of the Gram
matrix serves all outputs, so a batch of thousands is learned in seconds, to the same optimum every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from nlp.extras import require

Floats = NDArray[np.float32]

MOST_ROWS_FOR_GRAM = 12_000


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights (n_inputs, n_outputs), bias (n_outputs), and scores (n_rows, n_outputs) each row's fold never saw."""

    weights: Floats
    bias: Floats
    held_out: Floats


def fit(
    inputs: sparse.csr_matrix,
    targets: Floats,
    folds: NDArray[np.int64],
    penalty: float,
    progress: Callable[[], None] | None = None,
) -> Fit:
    """Least-squares fit of `inputs` (n_rows, n_inputs) to `targets` (n_rows, n_outputs), `penalty` on the weights.

    `folds` (n_rows) numbers each row's held-out fold; `progress` is called after each of the folds and at the
    end. Up to `MOST_ROWS_FOR_GRAM` rows are solved exactly (n_rows² numbers of memory), more by conjugate
    gradients.
    """
    learn = _solve_exactly(inputs) if inputs.shape[0] <= MOST_ROWS_FOR_GRAM else _solve_by_gradients(inputs)
    held_out = np.zeros(targets.shape, np.float32)
    for fold in np.unique(folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(rest):
            weights, bias = learn(rest, targets[rest], penalty)
            held_out[held] = inputs[held] @ weights + bias
        if progress:
            progress()
    weights, bias = learn(np.arange(len(targets)), targets, penalty)
    if progress:
        progress()
    return Fit(weights, bias, held_out)


_Learn = Callable[[NDArray[np.int64], Floats, float], tuple[Floats, Floats]]


def _solve_exactly(inputs: sparse.csr_matrix) -> _Learn:
    gram = (inputs @ inputs.T).toarray().astype(np.float32)

    def learn(rows: NDArray[np.int64], targets: Floats, penalty: float) -> tuple[Floats, Floats]:
        bias = targets.mean(axis=0)
        system = gram[np.ix_(rows, rows)]
        system[np.diag_indices_from(system)] += penalty
        shares = linalg.solve(system, targets - bias, assume_a="pos", overwrite_a=True, check_finite=False)
        return np.asarray(inputs[rows].T @ shares, np.float32), bias.astype(np.float32)

    return learn


def _solve_by_gradients(inputs: sparse.csr_matrix) -> _Learn:
    linear_model = require("sklearn.linear_model", "train")

    def learn(rows: NDArray[np.int64], targets: Floats, penalty: float) -> tuple[Floats, Floats]:
        bias = targets.mean(axis=0)
        model = linear_model.Ridge(alpha=penalty, fit_intercept=False, solver="sparse_cg", tol=1e-4)
        model.fit(inputs[rows], targets - bias)
        return np.asarray(model.coef_.T, np.float32).reshape(inputs.shape[1], -1), bias.astype(np.float32)

    return learn

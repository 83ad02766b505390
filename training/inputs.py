"""What the solver learns from: sparse and dense features side by side, each multiplied in its own way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Rows of features: `grams` (n_rows, n_columns) sparse, `dense` (n_rows, dense_width)."""

    grams: sparse.csr_matrix
    dense: Floats

    @classmethod
    def of(cls, grams: sparse.csr_matrix) -> Inputs:
        """Sparse features alone."""
        return cls(grams, np.zeros((grams.shape[0], 0), np.float32))

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.dense)

    def take(self, rows: NDArray[np.int64] | slice) -> Inputs:
        """The rows of these numbers, in order."""
        return Inputs(self.grams[rows], self.dense[rows])

    def scores(self, weights: Floats) -> Floats:
        """These rows times weights (n_columns + dense_width, n_outputs), as (n_rows, n_outputs)."""
        n_columns = self.grams.shape[1]
        scores: Floats = self.grams @ weights[:n_columns] + self.dense @ weights[n_columns:]
        return scores

    def weights(self, shares: Floats) -> Floats:
        """The weights (n_columns + dense_width, n_outputs) that shares (n_rows, n_outputs) of these rows add up to."""
        return np.vstack([np.asarray(self.grams.T @ shares, np.float32), self.dense.T @ shares])

    def near(self, others: Inputs) -> Floats:
        """Inner products (n_rows, n_others) of these rows with others."""
        products: Floats = (self.grams @ others.grams.T).toarray()
        products += self.dense @ others.dense.T
        return products

"""Vectors: which resources mean what a need means, by inner product of unit vectors (FAISS)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]


class VectorIndex:
    """Vectors (n_texts, width), searched under a filter; never changed once built."""

    def __init__(self, vectors: Floats) -> None:
        self.vectors = np.ascontiguousarray(vectors, np.float32)
        self._index = faiss.IndexFlatIP(self.vectors.shape[1])
        self._index.add(self.vectors)

    @classmethod
    def join(cls, parts: Sequence[tuple[VectorIndex, NDArray[np.bool_]]]) -> VectorIndex:
        """One index of the vectors marked in each part's mask (n_texts), in order."""
        return cls(np.concatenate([one.vectors[kept] for one, kept in parts]))

    def search(self, vector: Floats, allowed: Counts, k: int) -> Counts:
        """Numbers of the `k` vectors nearest to `vector` (width) among the `allowed` numbers."""
        if len(allowed) <= k:
            return allowed
        chosen: Any = faiss.SearchParameters
        chosen = chosen(sel=faiss.IDSelectorBatch(allowed))
        _, near = self._index.search(vector[None, :], k, params=chosen)
        found: Counts = near[0][near[0] >= 0]
        return found

"""Retrieval: candidates for a need, by meaning (FAISS over the encoder's vectors) and by words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.features import ColumnMap, FeatureBatch

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Catalogue numbers of candidates and their closeness to the need, cosines in -1 to 1."""

    numbers: NDArray[np.int64]
    dense: Floats
    lexical: Floats


class ResourceIndex:
    """Vectors and words of a catalogue, searched under a filter."""

    def __init__(self, batch: FeatureBatch, width: int, bucket_bits: int) -> None:
        """`batch` holds the resources' features in catalogue order; its first `width` dense columns are vectors."""
        self._vectors = np.ascontiguousarray(batch.dense[:, :width])
        self._index = faiss.IndexFlatIP(width)
        self._index.add(self._vectors)
        self._columns = ColumnMap.learn(batch.occurrences, batch.n_texts, bucket_bits, at_least=1)
        self._words = self._columns.matrix(batch.occurrences, batch.n_texts).T.tocsr()
        self._width = width

    def search(
        self, batch: FeatureBatch, allowed: Sequence[NDArray[np.bool_]], n_candidates: int = 50
    ) -> list[Candidates]:
        """Candidates for every text of `batch`, only among the resources its mask allows."""
        vectors = np.ascontiguousarray(batch.dense[:, : self._width])
        lexical = sparse.csr_matrix(self._columns.matrix(batch.occurrences, batch.n_texts) @ self._words)
        return [
            self._search_one(vectors[row : row + 1], lexical[row].toarray().ravel(), mask, n_candidates)
            for row, mask in enumerate(allowed)
        ]

    def _search_one(
        self, vector: Floats, lexical: Floats, allowed: NDArray[np.bool_], n_candidates: int
    ) -> Candidates:
        numbers = np.flatnonzero(allowed)
        if len(numbers) > n_candidates:
            chosen: Any = faiss.SearchParameters
            chosen = chosen(sel=faiss.IDSelectorBatch(numbers))
            _, near = self._index.search(vector, n_candidates, params=chosen)
            by_words = numbers[np.argsort(-lexical[numbers], kind="stable")[:n_candidates]]
            numbers = np.unique(np.concatenate([near[0][near[0] >= 0], by_words]))
        dense: Floats = self._vectors[numbers] @ vector[0]
        return Candidates(numbers, dense, lexical[numbers].astype(np.float32))

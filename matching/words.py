"""Words: which resources share a need's words, by Okapi BM25 over hashed n-grams of masked text.

Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond". Rarity and mean length are
handed in at the search, for they belong to everything that is searched together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.features import Occurrences

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]

_K1 = 1.2
_B = 0.75


@dataclass(frozen=True, slots=True)
class WordIndex:
    """How often each gram stands in each text: `counts` (n_grams, n_texts), its rows the sorted `buckets`.

    `lengths` (n_texts) are texts' numbers of grams.
    """

    buckets: Counts
    counts: sparse.csr_matrix
    lengths: Floats

    @classmethod
    def of(cls, occurrences: Occurrences, n_texts: int) -> WordIndex:
        """The index of a batch of texts."""
        buckets, rows = np.unique(occurrences.buckets, return_inverse=True)
        ones = np.ones(len(rows), np.float32)
        counts = sparse.csr_matrix((ones, (rows, occurrences.rows)), shape=(len(buckets), n_texts))
        lengths = np.bincount(occurrences.rows, minlength=n_texts).astype(np.float32)
        return cls(buckets, counts, lengths)

    @classmethod
    def join(cls, parts: Sequence[tuple[WordIndex, NDArray[np.bool_]]]) -> WordIndex:
        """One index of the texts marked in each part's mask (n_texts), in order."""
        buckets = np.unique(np.concatenate([one.buckets for one, _ in parts]))
        rows, columns, counts, first = [], [], [], 0
        for one, kept in parts:
            grams = one.counts[:, np.flatnonzero(kept)].tocoo()
            rows.append(np.searchsorted(buckets, one.buckets)[grams.row])
            columns.append(grams.col + first)
            counts.append(grams.data)
            first += int(kept.sum())
        places = (np.concatenate(rows), np.concatenate(columns))
        joined = sparse.csr_matrix((np.concatenate(counts), places), shape=(len(buckets), first))
        return cls(buckets, joined, np.concatenate([one.lengths[kept] for one, kept in parts]))

    @property
    def n_texts(self) -> int:
        """Texts in the index."""
        return len(self.lengths)

    def rows_of(self, buckets: Counts) -> Counts:
        """The row of each bucket, or -1 where no text holds it."""
        rows = np.minimum(np.searchsorted(self.buckets, buckets), max(len(self.buckets) - 1, 0))
        found = self.buckets[rows] == buckets if len(self.buckets) else np.zeros(len(buckets), bool)
        return np.where(found, rows, -1)

    def frequencies(self, buckets: Counts) -> Counts:
        """In how many texts each bucket stands."""
        rows = self.rows_of(buckets)
        return np.where(rows >= 0, np.diff(self.counts.indptr)[rows], 0) if len(self.buckets) else rows * 0

    def scores(self, query: WordQuery, mean_length: float) -> sparse.csr_matrix:
        """BM25 of every text for every query: (n_queries, n_texts), as a share of the most a text could get."""
        rows = self.rows_of(query.buckets)
        known = np.flatnonzero(rows >= 0)
        grams = self.counts[rows[known]]
        pivot = 1 - _B + _B * self.lengths[grams.indices] / mean_length
        grams.data = grams.data * (_K1 + 1) / (grams.data + _K1 * pivot)
        return sparse.csr_matrix(query.weights[:, known] @ grams)


@dataclass(frozen=True, slots=True)
class WordQuery:
    """The grams of several queries: `weights` (n_queries, n_buckets) is each gram's rarity over what all could give."""

    buckets: Counts
    weights: sparse.csr_matrix

    @classmethod
    def of(cls, occurrences: Occurrences, n_queries: int, indices: Sequence[WordIndex]) -> WordQuery:
        """The queries of a batch of texts against indices that are searched together."""
        buckets, columns = np.unique(occurrences.buckets, return_inverse=True)
        n_texts = sum(index.n_texts for index in indices)
        frequency = np.sum([index.frequencies(buckets) for index in indices], axis=0)
        idf = np.log1p((n_texts - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
        ones = np.ones(len(columns), np.float32)
        present = sparse.csr_matrix((ones, (occurrences.rows, columns)), shape=(n_queries, len(buckets)))
        present.data[:] = idf[present.indices]
        most = np.asarray(present.sum(axis=1)).ravel() * (_K1 + 1)
        scale = sparse.diags(1 / np.where(most > 0, most, 1))
        return cls(buckets, sparse.csr_matrix(scale @ present, dtype=np.float32))


def mean_length(indices: Sequence[WordIndex]) -> float:
    """Mean number of grams of a text, over indices that are searched together."""
    n_texts = sum(index.n_texts for index in indices)
    total = sum(float(index.lengths.sum()) for index in indices)
    return max(total / max(n_texts, 1), 1.0)

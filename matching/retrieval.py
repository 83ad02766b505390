"""Retrieval: candidates for a need, by meaning and by words, only among what its rules allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from matching.segment import Segment
from matching.words import WordQuery, mean_length
from models.features import FeatureBatch

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Places of candidates in a segment and their closeness to the need.

    `dense` are cosines in -1 to 1, `lexical` shares in 0–1 of the BM25 a text could get at most.
    """

    segment: Segment
    places: NDArray[np.int64]
    dense: Floats
    lexical: Floats


def retrieve(
    batch: FeatureBatch,
    vectors: Floats,
    segments: Sequence[Segment],
    allowed: Sequence[Sequence[Mask]],
    n_candidates: int = 50,
) -> list[list[Candidates]]:
    """For every text of `batch` its candidates in every segment, only among those its mask in `allowed` marks.

    `vectors` (n_texts, width) are the texts' meanings.
    `allowed` holds for every segment a mask (n_resources) per text. The best of either kind come in together.
    """
    found: list[list[Candidates]] = [[] for _ in range(batch.n_texts)]
    words = [segment.words for segment in segments]
    query = WordQuery.of(batch.occurrences, batch.n_texts, words)
    length = mean_length(words)
    for segment, masks in zip(segments, allowed, strict=True):
        scores = segment.words.scores(query, length)
        for row, mask in enumerate(masks):
            found[row].append(_candidates(segment, vectors[row], scores[row], mask, n_candidates))
    return found


def _candidates(
    segment: Segment, vector: Floats, scores: sparse.csr_matrix, mask: Mask, n_candidates: int
) -> Candidates:
    numbers = np.flatnonzero(mask)
    lexical = np.zeros(len(mask), np.float32)
    lexical[scores.indices] = scores.data
    if len(numbers) > n_candidates:
        near = segment.vectors.search(vector, mask, n_candidates, numbers)
        hits = scores.indices[mask[scores.indices]]
        worded = hits[np.lexsort((hits, -lexical[hits]))[:n_candidates]]
        numbers = np.unique(np.concatenate([near, worded]))
    dense: Floats = segment.vectors.vectors[numbers] @ vector
    return Candidates(segment, numbers, dense, lexical[numbers])

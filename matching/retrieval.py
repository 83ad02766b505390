"""Retrieval: candidates for a need, by meaning and by words, only among what its rules allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    segments: Sequence[Segment],
    allowed: Sequence[Sequence[Mask]],
    n_candidates: int = 50,
) -> list[list[Candidates]]:
    """For every text of `batch` its candidates in every segment, only among those its mask in `allowed` marks.

    `allowed` holds for every segment a mask (n_resources) per text. The best of either kind come in together.
    """
    found: list[list[Candidates]] = [[] for _ in range(batch.n_texts)]
    words = [segment.words for segment in segments]
    query = WordQuery.of(batch.occurrences, batch.n_texts, words)
    length = mean_length(words)
    for segment, masks in zip(segments, allowed, strict=True):
        vectors = np.ascontiguousarray(batch.dense[:, : segment.vectors.vectors.shape[1]])
        scores = segment.words.scores(query, length)
        for row, mask in enumerate(masks):
            lexical = scores[row].toarray().ravel().astype(np.float32)
            numbers = np.flatnonzero(mask)
            if len(numbers) > n_candidates:
                near = segment.vectors.search(vectors[row], numbers, n_candidates)
                worded = numbers[np.argsort(-lexical[numbers], kind="stable")[:n_candidates]]
                numbers = np.unique(np.concatenate([near, worded]))
            dense: Floats = segment.vectors.vectors[numbers] @ vectors[row]
            found[row].append(Candidates(segment, numbers, dense, lexical[numbers]))
    return found

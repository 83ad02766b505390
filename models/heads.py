"""Linear heads over sparse and dense features, one column block a head, all in one product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.features import ColumnMap, FeatureBatch, KnownGrams

Floats = NDArray[np.float32]

DOMAIN, SECONDARY, TIER, URGENCY = "domain", "secondary", "tier", "urgency"


@dataclass(frozen=True, slots=True)
class Head:
    """One decision: its labels, its columns of the joint weights, and how its scores become answers.

    `exclusive` heads give a softmax over `labels`, others one sigmoid a label. `thresholds` are named
    probabilities.
    """

    name: str
    labels: tuple[str, ...]
    start: int
    exclusive: bool
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @property
    def columns(self) -> slice:
        """This head's columns of the joint scores."""
        return slice(self.start, self.start + len(self.labels))

    def probabilities(self, scores: Floats) -> Floats:
        """Calibrated probabilities (n_texts, n_labels) from the joint scores (n_texts, n_outputs)."""
        return probabilities(scores[:, self.columns], exclusive=self.exclusive)


def probabilities(scores: Floats, *, exclusive: bool) -> Floats:
    """Softmax over the last axis of `scores`, or elementwise sigmoid."""
    if not exclusive:
        sigmoid: Floats = (0.5 * (1.0 + np.tanh(0.5 * scores))).astype(np.float32)
        return sigmoid
    exponent = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-1e9))
    softmax: Floats = exponent / exponent.sum(axis=-1, keepdims=True)
    return softmax


@dataclass(frozen=True, slots=True)
class Reading:
    """A batch as one model reads it: its features and those of them the model knows."""

    batch: FeatureBatch
    grams: KnownGrams

    def take(self, kept: NDArray[np.bool_]) -> Reading:
        """The reading of the texts marked in `kept` (n_texts), in order."""
        return Reading(self.batch.take(kept), self.grams.take(kept))


@dataclass(frozen=True, slots=True)
class LinearHeads:
    """Joint weights of every head.

    `sparse_weights` is (n_columns, n_outputs), `dense_weights` (dense_width, n_outputs), `bias` (n_outputs).
    """

    heads: tuple[Head, ...]
    columns: ColumnMap
    sparse_weights: Floats
    dense_weights: Floats
    bias: Floats

    def head(self, name: str) -> Head | None:
        """The head of that name, or None where the taxonomy has no such decision."""
        return next((head for head in self.heads if head.name == name), None)

    def read(self, batch: FeatureBatch) -> Reading:
        """The batch with the sparse features these heads know."""
        return Reading(batch, self.columns.known(batch.occurrences, batch.n_texts))

    def scores(self, reading: Reading) -> Floats:
        """Scores (n_texts, n_outputs) before calibration."""
        sparse_scores = reading.grams.matrix(self.columns.idf) @ self.sparse_weights
        scores: Floats = np.asarray(
            sparse_scores + reading.batch.dense @ self.dense_weights + self.bias, np.float32
        )
        return scores


def lay_out(decisions: Sequence[tuple[str, Sequence[str], bool]]) -> tuple[Head, ...]:
    """Heads side by side from (name, labels, exclusive) triples; decisions without labels are left out."""
    heads: list[Head] = []
    start = 0
    for name, labels, exclusive in decisions:
        if labels:
            heads.append(Head(name, tuple(labels), start, exclusive))
            start += len(labels)
    return tuple(heads)

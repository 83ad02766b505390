"""Explanations: how much each word spoke for a label, adding up to the label's score.

The heads are linear, so a label's score, less the mean of its head's scores, is a sum over features; a
feature's share goes to the characters it covers and from there to their words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.features import FeatureBatch
from models.heads import Head, LinearHeads

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Attribution:
    """Shares of one label a text: `words` (n_words of the batch), `base` (n_texts) what no word carries.

    For text t: base[t] + sum of its words' shares = the label's centred score.
    """

    words: Floats
    base: Floats


def attribute(
    heads: LinearHeads,
    head: Head,
    projected: NDArray[np.float32],
    lexicon_block: slice,
    batch: FeatureBatch,
    labels: NDArray[np.int64],
) -> Attribution:
    """Word shares of label `labels[t]` (position in `head.labels`) for every text t of the batch.

    `projected` (n_vocabulary, n_outputs) are the encoder's vectors times the heads' dense weights.
    """
    n_words = len(batch.words)
    sparse_weights = _centred(heads.sparse_weights, head)
    dense_weights = _centred(heads.dense_weights, head)
    words = _sparse_shares(heads, sparse_weights, batch, labels)
    tokens = batch.tokens
    rows = tokens.texts[tokens.words]
    shares = _centred(projected, head)[tokens.ids, labels[rows]]
    words += np.bincount(tokens.words, shares / batch.lengths[rows], n_words)
    lexicon_rows = tokens.texts[batch.lexicon_words]
    lexicon = np.einsum(
        "kw,wk->k", batch.lexicon_weights, dense_weights[lexicon_block][:, labels[lexicon_rows]]
    )
    words += np.bincount(batch.lexicon_words, lexicon, n_words)
    rest = batch.dense[:, lexicon_block.stop :]
    base = np.einsum("tw,wt->t", rest, dense_weights[lexicon_block.stop :][:, labels])
    return Attribution(words, base + _centred(heads.bias, head)[labels])


def _centred(weights: NDArray[np.float32], head: Head) -> NDArray[np.float32]:
    block = weights[..., head.columns]
    return block - block.mean(axis=-1, keepdims=True) if head.exclusive else block


def _sparse_shares(
    heads: LinearHeads, weights: NDArray[np.float32], batch: FeatureBatch, labels: NDArray[np.int64]
) -> Floats:
    occurrences, columns = batch.occurrences, heads.columns
    found = columns.columns[occurrences.buckets]
    known = np.flatnonzero(found >= 0)
    rows, kept = occurrences.rows[known], found[known].astype(np.int64)
    _, first, same, times = np.unique(
        rows * max(columns.n_columns, 1) + kept, return_index=True, return_inverse=True, return_counts=True
    )
    squares = np.bincount(rows[first], columns.idf[kept[first]].astype(np.float64) ** 2, batch.n_texts)
    norms = np.sqrt(np.maximum(squares, 1e-18))
    shares = columns.idf[kept] * weights[kept, labels[rows]] / norms[rows] / times[same]
    starts, lengths = occurrences.starts[known], occurrences.lengths[known]
    per_character = np.zeros(batch.n_characters + 1)
    for step in range(int(lengths.max(initial=0))):
        covers = lengths > step
        per_character += np.bincount(
            starts[covers] + step, shares[covers] / lengths[covers], len(per_character)
        )
    if not len(batch.word_starts):
        return np.zeros(0)
    sums: Floats = np.add.reduceat(per_character, batch.word_starts)
    return sums

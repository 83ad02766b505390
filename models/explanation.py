"""Explanations: how much each word spoke for a label, adding up to the label's score.

The heads are linear, so a label's score, less the mean of its head's scores, is a sum over features; a
feature's share goes to the characters it covers and from there to their words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.encoder import StaticEncoder
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
    encoder: StaticEncoder,
    lexicon_block: slice,
    batch: FeatureBatch,
    labels: NDArray[np.int64],
) -> Attribution:
    """Word shares of label `labels[t]` (position in `head.labels`) for every text t of the batch."""
    n_words = len(batch.words)
    centred = _centred_columns(heads, head)
    words = _sparse_shares(heads, centred[0], batch, labels)
    encoder_weights, tokens = centred[1][: encoder.width], batch.tokens
    norms = _sum_norms(encoder, batch)
    rows = tokens.texts[tokens.words]
    shares = np.einsum("kw,wk->k", encoder.token_vectors(tokens.ids), encoder_weights[:, labels[rows]])
    words += np.bincount(tokens.words, shares / norms[rows], n_words)
    lexicon_rows = tokens.texts[batch.lexicon_words]
    lexicon = np.einsum("kw,wk->k", batch.lexicon_weights, centred[1][lexicon_block][:, labels[lexicon_rows]])
    words += np.bincount(batch.lexicon_words, lexicon, n_words)
    rest = batch.dense.copy()
    rest[:, : lexicon_block.stop] = 0.0
    base = np.einsum("tw,wt->t", rest, centred[1][:, labels]) + centred[2][labels]
    return Attribution(words, base)


def _centred_columns(heads: LinearHeads, head: Head) -> tuple[Floats, Floats, Floats]:
    def centre(weights: NDArray[np.float32]) -> Floats:
        block = weights[..., head.columns].astype(np.float64)
        return block - block.mean(axis=-1, keepdims=True) if head.exclusive else block

    return centre(heads.sparse_weights), centre(heads.dense_weights), centre(heads.bias)


def _sum_norms(encoder: StaticEncoder, batch: FeatureBatch) -> Floats:
    tokens = batch.tokens
    sums = np.zeros((batch.n_texts, encoder.width))
    np.add.at(sums, tokens.texts[tokens.words], encoder.token_vectors(tokens.ids))
    norms: Floats = np.maximum(np.linalg.norm(sums, axis=1), 1e-9)
    return norms


def _sparse_shares(
    heads: LinearHeads, weights: Floats, batch: FeatureBatch, labels: NDArray[np.int64]
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

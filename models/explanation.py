"""Explanations: how much each word spoke for a label, adding up to the label's score.

The heads are linear, so a label's score, less the mean of its head's scores, is a sum over features; a
feature's share goes to the characters it covers and from there to their words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.heads import Head, LinearHeads, Reading

Floats = NDArray[np.float64]

_NO_LETTER = re.compile(r"[\W_]+")


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
    reading: Reading,
    labels: NDArray[np.int64],
) -> Attribution:
    """Word shares of label `labels[t]` (position in `head.labels`) for every text t of the reading.

    `projected` (n_vocabulary, n_outputs) are the encoder's vectors times the heads' dense weights.
    """
    batch = reading.batch
    n_words = len(batch.words)
    sparse_weights = _centred(heads.sparse_weights, head)
    dense_weights = _centred(heads.dense_weights, head)
    words = _sparse_shares(heads, sparse_weights, reading, labels)
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
    heads: LinearHeads, weights: NDArray[np.float32], reading: Reading, labels: NDArray[np.int64]
) -> Floats:
    batch, grams, idf = reading.batch, reading.grams, heads.columns.idf
    if not len(batch.word_starts):
        return np.zeros(0)
    firsts = np.flatnonzero(grams.first)
    times = np.diff(np.append(firsts, len(grams.first)))
    rows, columns = grams.rows[firsts], grams.columns[firsts]
    share = idf[columns] * weights[columns, labels[rows]] / (grams.norms(idf)[rows] * times)
    per_place = np.repeat(share, times) / grams.lengths
    size = batch.n_characters + 1
    steps = np.bincount(grams.starts, per_place, size) - np.bincount(
        grams.starts + grams.lengths, per_place, size
    )
    sums: Floats = np.add.reduceat(np.cumsum(steps)[:-1], batch.word_starts)
    return sums


def top_words(reading: Reading, shares: Floats, most: int) -> list[tuple[tuple[str, float], ...]]:
    """The words of each text that spoke most for its label, at most `most`, each with the sum of its shares.

    Words of one character are left out where longer ones spoke for the label too, marks and blanks always.
    """
    batch, tokens = reading.batch, reading.batch.tokens
    names: dict[str, int] = {}
    identity = tokens.numbers.astype(np.int64)
    for place in np.flatnonzero(identity < 0).tolist():
        identity[place] = -1 - names.setdefault(batch.words[place], len(names) + 1)
    order = np.lexsort((identity, tokens.texts))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(identity[order]) != 0) | (np.diff(tokens.texts[order]) != 0)
    starts = np.flatnonzero(first)
    sums = np.add.reduceat(shares[order], starts) if len(starts) else np.zeros(0)
    positive = sums > 0
    places, sums = order[starts[positive]], sums[positive]
    found: list[list[tuple[str, float]]] = [[] for _ in range(batch.n_texts)]
    short: list[list[tuple[str, float]]] = [[] for _ in range(batch.n_texts)]
    ranked = np.lexsort((-sums, tokens.texts[places]))
    texts = tokens.texts[places].tolist()
    values = sums.tolist()
    words = batch.words
    for rank in ranked.tolist():
        text = texts[rank]
        if len(found[text]) < most:
            word = words[places[rank]]
            if len(word) > 1:
                if not _NO_LETTER.fullmatch(word):
                    found[text].append((word, values[rank]))
            elif word.isalnum():
                short[text].append((word, values[rank]))
    return [tuple(one or few[:most]) for one, few in zip(found, short, strict=True)]

"""Explanations: how much each word spoke for a label, adding up to the label's score.

The heads are linear, so a label's score, less the mean of its head's scores, is a sum over features; a
feature's share goes to the characters it covers and from there to their words. The topics' evidence is not
linear: its words get gradient × input (Simonyan, Vedaldi and Zisserman 2014) and the base what remains.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.encoder import StaticEncoder
from models.heads import Head, LinearHeads, Reading, probabilities
from models.topics import TopicHead, nearness

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
    projected: NDArray[np.float32] | None,
    lexicon_block: slice,
    reading: Reading,
    labels: NDArray[np.int64],
) -> Attribution:
    """Word shares of label `labels[t]` (position in `head.labels`) for every text t of the reading.

    `projected` (n_vocabulary, n_outputs) are the encoder's vectors times the heads' dense weights, None where a
    backbone gives the vectors: then their share is no single word's.
    """
    batch = reading.batch
    n_words = len(batch.words)
    dense_weights = _centred(heads.dense_weights[:, head.columns], head)
    words = _sparse_shares(heads, head, reading, labels)
    tokens = batch.tokens
    rest = batch.dense[:, lexicon_block.stop :]
    base = np.einsum("tw,wt->t", rest, dense_weights[lexicon_block.stop :][:, labels])
    if projected is None:
        vectors = batch.dense[:, : lexicon_block.start]
        base = base + np.einsum("tw,wt->t", vectors, dense_weights[: lexicon_block.start][:, labels])
    else:
        rows = tokens.texts[tokens.words]
        shares = _centred_at(projected, head, tokens.ids, labels[rows])
        words += np.bincount(tokens.words, shares * batch.token_weights, n_words)
    lexicon_rows = tokens.texts[batch.lexicon_words]
    lexicon = np.einsum(
        "kw,wk->k", batch.lexicon_weights, dense_weights[lexicon_block][:, labels[lexicon_rows]]
    )
    words += np.bincount(batch.lexicon_words, lexicon, n_words)
    return Attribution(words, base + _centred(heads.bias[head.columns], head)[labels])


def attribute_topics(
    topics: TopicHead,
    encoder: StaticEncoder | None,
    lexicon_block: slice,
    reading: Reading,
    labels: NDArray[np.int64],
    n_domains: int,
) -> Attribution:
    """Word shares in the topics' evidence for domain `labels[t]`, less its mean over the domains, for every text t."""
    batch, tokens = reading.batch, reading.batch.tokens
    width = lexicon_block.start
    vectors = batch.dense[:, :width]
    near = nearness(vectors, topics.landmarks, topics.gamma)
    scores = batch.dense @ topics.dense_weights + near @ topics.landmark_weights + topics.bias
    evidence = topics.evidence(scores, n_domains)
    given = probabilities(scores, exclusive=True)
    owners = topics.owners
    within = given / np.maximum(given @ np.eye(n_domains, dtype=np.float32)[owners], 1e-6)[:, owners]
    ours = (owners[None] == labels[:, None]) - np.float32(1 / n_domains)
    slopes = np.float32(topics.weight) * within * ours
    words: Floats = np.zeros(len(batch.words))
    if encoder is not None:
        pulls = near * (slopes @ topics.landmark_weights.T)
        kernel = 2 * topics.gamma * (pulls @ topics.landmarks - pulls.sum(axis=1, keepdims=True) * vectors)
        gradient = slopes @ topics.dense_weights[:width].T + kernel
        rows = tokens.texts[tokens.words]
        shares = np.einsum("kw,kw->k", encoder.vectors[tokens.ids], gradient[rows]) * batch.token_weights
        words += np.bincount(tokens.words, shares, len(batch.words))
    terms = slopes @ topics.dense_weights[lexicon_block].T
    lexicon = np.einsum("kw,kw->k", batch.lexicon_weights, terms[tokens.texts[batch.lexicon_words]])
    words += np.bincount(batch.lexicon_words, lexicon, len(batch.words))
    score = evidence[np.arange(batch.n_texts), labels] - evidence.mean(axis=1)
    return Attribution(words, score - np.bincount(tokens.texts, words, batch.n_texts))


def _centred(block: NDArray[np.float32], head: Head) -> NDArray[np.float32]:
    return block - block.mean(axis=-1, keepdims=True) if head.exclusive else block


def _centred_at(
    weights: NDArray[np.float32], head: Head, rows: NDArray[Any], labels: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Centred weights at (row, label) pairs; the whole matrix is never touched."""
    found: NDArray[np.float32] = _centred(weights[rows, head.columns], head)[np.arange(len(rows)), labels]
    return found


def _sparse_shares(heads: LinearHeads, head: Head, reading: Reading, labels: NDArray[np.int64]) -> Floats:
    batch, grams, idf = reading.batch, reading.grams, heads.columns.idf
    if not len(batch.word_starts):
        return np.zeros(0)
    firsts = np.flatnonzero(grams.first)
    times = np.diff(np.append(firsts, len(grams.first)))
    rows, columns = grams.rows[firsts], grams.columns[firsts]
    share = (
        idf[columns]
        * _centred_at(heads.sparse_weights, head, columns, labels[rows])
        / (grams.norms(idf)[rows] * times)
    )
    per_place = np.repeat(share, times) / grams.lengths
    size = batch.n_characters + 1
    steps = np.bincount(grams.starts, per_place, size) - np.bincount(
        grams.starts + grams.lengths, per_place, size
    )
    sums: Floats = np.add.reduceat(np.cumsum(steps, dtype=np.float64)[:-1], batch.word_starts)
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

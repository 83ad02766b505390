"""The static encoder: a text is the weighted mean of its words' vectors.

Vectors are stored as int8 with one scale a row. Word weights follow smooth inverse frequency (Arora,
Liang and Ma 2017, "A simple but tough-to-beat baseline for sentence embeddings") and are part of the scale.
A word outside the vocabulary is read by its longest known parts, down to characters, so a new compound and a
typo keep a neighbourhood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

_LONGEST_PIECE = 6


@dataclass(frozen=True, slots=True)
class TokenIds:
    """Vocabulary ids of a batch of tokenised texts, flat.

    `numbers` and `texts` (n_words) give each word's vocabulary id, or -1 outside the vocabulary, and its text.
    `ids[k]` is a piece of word `words[k]`: the word itself, or, outside the vocabulary, its known parts.
    """

    numbers: Integers
    texts: Integers
    ids: Integers
    words: Integers
    n_texts: int


class StaticEncoder:
    """Token vectors with their vocabulary; `vectors` is (n_words, width)."""

    def __init__(
        self, vocabulary: Sequence[str], codes: NDArray[np.int8], scales: NDArray[np.float16]
    ) -> None:
        """`codes` is (n_words, width) int8 and `scales` (n_words,): vector = code × scale."""
        if codes.ndim != 2 or codes.shape[0] != len(vocabulary) or scales.shape != (len(vocabulary),):
            raise ValueError(
                f"encoder: {len(vocabulary)} words, codes {codes.shape}, scales {scales.shape}; they must agree"
            )
        self.vocabulary = tuple(vocabulary)
        self.codes = codes
        self.scales = scales
        self.vectors: Floats = codes * scales.astype(np.float32)[:, None]
        self._index = {word: number for number, word in enumerate(self.vocabulary)}

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self.codes.shape[1])

    def look_up(self, tokenised: Sequence[Sequence[str]]) -> TokenIds:
        """Vocabulary ids of every word of every text."""
        flat = [word for tokens in tokenised for word in tokens]
        n_words = np.fromiter(map(len, tokenised), np.int64, len(tokenised))
        get = self._index.get
        numbers = np.asarray([get(word, -1) for word in flat], np.int32)
        n_pieces = np.ones(len(flat), np.int64)
        parts: list[int] = []
        told: dict[str, tuple[int, ...]] = {}
        for place in np.flatnonzero(numbers < 0).tolist():
            word = flat[place]
            pieces = told.get(word)
            if pieces is None:
                pieces = told[word] = self._pieces(word.lower())
            if len(pieces) == 1 and len(word) == len(self.vocabulary[pieces[0]]):
                numbers[place] = pieces[0]
            else:
                n_pieces[place] = len(pieces)
                parts += pieces
        words = np.repeat(np.arange(len(flat), dtype=np.int32), n_pieces)
        ids = np.repeat(numbers, n_pieces)
        ids[ids < 0] = parts
        texts = np.repeat(np.arange(len(tokenised), dtype=np.int32), n_words)
        return TokenIds(numbers, texts, ids, words, len(tokenised))

    def _pieces(self, word: str) -> tuple[int, ...]:
        """Ids of the longest known parts of a word from left to right; none for what has no known part."""
        found: list[int] = []
        start = 0
        while start < len(word):
            for end in range(min(len(word), start + _LONGEST_PIECE), start, -1):
                number = self._index.get(word[start:end], -1)
                if number >= 0:
                    found.append(number)
                    break
            start = max(end, start + 1)
        return tuple(found)

    def sums(self, tokens: TokenIds, kept: NDArray[np.bool_] | None = None) -> Floats:
        """Sums of the vectors of each text's tokens (n_texts, width), of those marked in `kept` (n_ids) only.

        Zeros for a text without a known word.
        """
        rows = tokens.texts[tokens.words]
        borders = np.searchsorted(rows, np.arange(tokens.n_texts + 1))
        shape = (tokens.n_texts, len(self.vocabulary))
        times = np.ones(len(rows), np.float32) if kept is None else kept.astype(np.float32)
        counts = sparse.csr_matrix((times, tokens.ids, borders), shape=shape)
        sums: Floats = counts @ self.vectors
        return sums

    def project(self, weights: Floats) -> Floats:
        """Products (n_words, n_outputs) of every token vector with `weights` (width, n_outputs)."""
        products: Floats = self.vectors @ weights
        return products

    def encode(self, tokenised: Sequence[Sequence[str]]) -> Floats:
        """Unit vectors (n_texts, width) of texts already cut into words."""
        sums = self.sums(self.look_up(tokenised))
        unit: Floats = sums / lengths_of(sums)[:, None]
        return unit


def lengths_of(sums: Floats) -> Floats:
    """Euclidean lengths (n_texts) of sums of vectors; 1 where nothing was summed, so that zeros stay zeros."""
    lengths: Floats = np.linalg.norm(sums, axis=1)
    return np.where(lengths > 0, lengths, np.float32(1))

"""The static encoder: a text is the weighted mean of its words' vectors.

Vectors are stored as int8 with one scale a row. Word weights follow smooth inverse frequency (Arora,
Liang and Ma 2017, "A simple but tough-to-beat baseline for sentence embeddings") and are part of the scale.
A word outside the vocabulary is read character by character, so a typo keeps a neighbourhood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TokenIds:
    """Vocabulary ids of a batch of tokenised texts, flat.

    `ids[k]` belongs to word `words[k]` (its position in the flat list of all words of the batch), and word
    `w` to text `texts[w]`. A word outside the vocabulary has one entry per known character, or none.
    """

    ids: Integers
    words: Integers
    texts: Integers
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
        get = self._index.get
        ids: list[int] = []
        words: list[int] = []
        texts: list[int] = []
        word = 0
        for number, tokens in enumerate(tokenised):
            for token in tokens:
                found = get(token)
                if found is None:
                    found = get(token.lower())
                if found is not None:
                    ids.append(found)
                    words.append(word)
                elif len(token) > 1:
                    for character in token:
                        found = get(character)
                        if found is not None:
                            ids.append(found)
                            words.append(word)
                word += 1
            texts.extend([number] * len(tokens))
        return TokenIds(
            np.asarray(ids, np.int32),
            np.asarray(words, np.int32),
            np.asarray(texts, np.int32),
            len(tokenised),
        )

    def sums(self, tokens: TokenIds) -> Floats:
        """Sums of the token vectors of each text (n_texts, width); zeros for a text without a known word."""
        rows = tokens.texts[tokens.words]
        borders = np.searchsorted(rows, np.arange(tokens.n_texts + 1))
        shape = (tokens.n_texts, len(self.vocabulary))
        counts = sparse.csr_matrix((np.ones(len(rows), np.float32), tokens.ids, borders), shape=shape)
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

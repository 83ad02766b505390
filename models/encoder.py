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
    """Token vectors with their vocabulary."""

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

    def token_vectors(self, ids: Integers) -> Floats:
        """Vectors (n_ids, width) of vocabulary ids."""
        vectors: Floats = self.codes[ids] * self.scales[ids].astype(np.float32)[:, None]
        return vectors

    def encode_ids(self, tokens: TokenIds) -> Floats:
        """Unit vectors (n_texts, width); zeros for a text without a known word."""
        sums = np.zeros((tokens.n_texts, self.width), np.float32)
        if len(tokens.ids):
            rows = tokens.texts[tokens.words]
            starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
            sums[rows[starts]] = np.add.reduceat(self.token_vectors(tokens.ids), starts, axis=0)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        unit: Floats = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 0)
        return unit

    def encode(self, tokenised: Sequence[Sequence[str]]) -> Floats:
        """Unit vectors (n_texts, width) of texts already cut into words."""
        return self.encode_ids(self.look_up(tokenised))

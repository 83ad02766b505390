"""Features: hashed character n-grams, words and word pairs, lexicon topics, and the encoder's vector.

Everything is computed for a batch at once on flat arrays. Each sparse feature remembers where in its text it
stood, so a decision can be traced back to words exactly.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, compress

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.backbone import Backbone
from models.encoder import StaticEncoder, TokenIds, lengths_of
from nlp.lexicon import LexiconEntry
from nlp.masking import PLACEHOLDER
from nlp.records import PreparedMessage
from nlp.segmenter import Segmenter

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_BREAK = 0
_DIGIT = ord("0")


@dataclass(frozen=True, slots=True)
class FeatureConfig:
    """What is counted: `longest` characters an n-gram at most, hashed into 2**`bucket_bits` buckets."""

    longest: int = 4
    bucket_bits: int = 20


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Where each sparse feature stood: text, bucket, first position in the joined text, characters covered."""

    rows: NDArray[np.int64]
    buckets: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """The features of `n_texts` texts.

    `dense` is (n_texts, dense_width); its vector is the sum of the encoder's vectors of `tokens.ids`, each times its
    entry in `token_weights` (n_ids), or a backbone's, and then the weights are zero. `text_starts` (n_texts) and `word_starts` (n_words) are first positions in
    the joined text of `n_characters` characters.
    """

    n_texts: int
    occurrences: Occurrences
    dense: Floats
    token_weights: Floats
    tokens: TokenIds
    words: tuple[str, ...]
    word_starts: NDArray[np.int64]
    text_starts: NDArray[np.int64]
    n_characters: int
    lexicon_words: NDArray[np.int64]
    lexicon_weights: Floats

    def take(self, kept: NDArray[np.bool_]) -> FeatureBatch:
        """The batch of the texts marked in `kept` (n_texts), in order; positions stay as they are."""
        row = np.cumsum(kept) - 1
        tokens, grams = self.tokens, self.occurrences
        kept_words = kept[tokens.texts]
        word = np.cumsum(kept_words) - 1
        kept_ids = kept_words[tokens.words]
        kept_grams = kept[grams.rows]
        kept_hits = kept_words[self.lexicon_words]
        return FeatureBatch(
            int(kept.sum()),
            Occurrences(
                row[grams.rows[kept_grams]],
                grams.buckets[kept_grams],
                grams.starts[kept_grams],
                grams.lengths[kept_grams],
            ),
            self.dense[kept],
            self.token_weights[kept_ids],
            TokenIds(
                tokens.numbers[kept_words],
                row[tokens.texts[kept_words]].astype(np.int32),
                tokens.ids[kept_ids],
                word[tokens.words[kept_ids]].astype(np.int32),
                int(kept.sum()),
            ),
            tuple(compress(self.words, kept_words)),
            self.word_starts[kept_words],
            self.text_starts[kept],
            self.n_characters,
            word[self.lexicon_words[kept_hits]],
            self.lexicon_weights[kept_hits],
        )


@lru_cache(maxsize=1)
def _character_table() -> NDArray[np.uint32]:
    """What each code point of the basic plane counts as: lower case, any digit as 0, punctuation as a break."""
    table = np.zeros(0x10000, np.uint32)
    for code in range(0x10000):
        character = chr(code)
        category = unicodedata.category(character)
        if category.startswith("N"):
            table[code] = _DIGIT
        elif category.startswith(("L", "M")):
            table[code] = ord(character.lower()[0])
    return table


_OPENING = re.compile(r"[\s\S]{2,60}?[。！？!?；\n]")


def _opening(text: str) -> int:
    """Where the first sentence of a text ends, at the 60th character at the latest."""
    found = _OPENING.match(text)
    return found.end() if found else min(len(text), 60)


def _hidden(match: re.Match[str]) -> str:
    return "\ufffc" * len(match[0])


def _mixed(hashes: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    mixed = hashes ^ (hashes >> np.uint64(29))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    buckets: NDArray[np.int64] = (mixed >> np.uint64(64 - bits)).astype(np.int64)
    return buckets


class FeatureExtractor:
    """Turns prepared messages into feature batches."""

    def __init__(
        self,
        encoder: StaticEncoder,
        segmenter: Segmenter,
        lexicon: Sequence[LexiconEntry],
        sources: Sequence[str],
        config: FeatureConfig | None = None,
        backbone: Backbone | None = None,
    ) -> None:
        """The dense block is vector | lexicon domains | lexicon topics | sources | length.

        The vector is the backbone's where there is one, else the encoder's. Domains and topics are the lexicon's
        own, so they speak to any taxonomy.
        """
        self.config = config or FeatureConfig()
        self.encoder = encoder
        self.backbone = backbone
        self.width = backbone.width if backbone else encoder.width
        self._segmenter = segmenter
        self._sources = {source: number for number, source in enumerate(sources)}
        domains = sorted({domain for entry in lexicon for domain in entry.domains})
        topics = sorted({(entry.domains[0], entry.topic) for entry in lexicon if entry.domains})
        self._n_domains, self._n_topics = len(domains), len(topics)
        domain_columns = {domain: number for number, domain in enumerate(domains)}
        topic_columns = {topic: number for number, topic in enumerate(topics, len(domains))}
        self._terms: dict[str, int] = {}
        table = np.zeros((len(lexicon), len(domains) + len(topics)), np.float32)
        for entry in lexicon:
            row = table[self._terms.setdefault(entry.term, len(self._terms))]
            for domain in entry.domains:
                row[domain_columns[domain]] = max(row[domain_columns[domain]], entry.weight)
            if entry.domains:
                row[topic_columns[entry.domains[0], entry.topic]] = entry.weight
        self.lexicon_table = table[: len(self._terms)]
        known = (self._terms.get(word, -1) for word in encoder.vocabulary)
        self._terms_of_words = np.fromiter(known, np.int64, len(encoder.vocabulary))

    @property
    def dense_width(self) -> int:
        """Numbers in the dense block of a text."""
        return self.width + self._n_domains + self._n_topics + len(self._sources) + 1

    @property
    def lexicon_block(self) -> slice:
        """Where the lexicon's part of the dense block lies."""
        return slice(self.width, self.width + self._n_domains + self._n_topics)

    def extract(self, messages: Sequence[PreparedMessage]) -> FeatureBatch:
        """Features of a batch of prepared messages."""
        texts = [PLACEHOLDER.sub(_hidden, message.text) for message in messages]
        words = self._segmenter.cut_batch(texts)
        tokens = self.encoder.look_up(words)
        lengths = np.fromiter((len(text) for text in texts), np.int64, len(texts))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        flat = tuple(chain.from_iterable(words))
        word_lengths = np.fromiter(map(len, flat), np.int64, len(flat))
        word_starts = (
            np.concatenate([[0], np.cumsum(word_lengths)])[:-1] if len(flat) else np.zeros(0, np.int64)
        )
        lexicon_words, lexicon_rows = self._lexicon_hits(flat, tokens)
        occurrences = _joined(
            self._character_grams("".join(texts), offsets),
            self._word_grams(tokens, word_starts, word_lengths),
        )
        dense = np.zeros((len(texts), self.dense_width), np.float32)
        if self.backbone:
            dense[:, : self.width] = self.backbone.encode([message.text for message in messages])
            token_weights = np.zeros(len(tokens.ids), np.float32)
        else:
            openings = offsets[:-1] + np.fromiter(map(_opening, texts), np.int64, len(texts))
            dense[:, : self.width], token_weights = self._vectors(tokens, word_starts, openings)
        owners = np.searchsorted(tokens.texts[lexicon_words], np.arange(len(texts) + 1))
        counts = sparse.csr_matrix(
            (np.ones(len(lexicon_rows), np.float32), lexicon_rows, owners),
            shape=(len(texts), len(self.lexicon_table)),
        )
        hits = counts @ self.lexicon_table
        scale = 1.0 / (2.0 + hits[:, : self._n_domains].sum(axis=1, keepdims=True))
        dense[:, self.lexicon_block] = hits * scale
        first_source = self.lexicon_block.stop
        for row, message in enumerate(messages):
            if message.source in self._sources:
                dense[row, first_source + self._sources[message.source]] = 1.0
        dense[:, -1] = np.log1p(lengths) / 6.0
        weights: Floats = self.lexicon_table[lexicon_rows] * scale[tokens.texts[lexicon_words]]
        return FeatureBatch(
            len(texts),
            occurrences,
            dense,
            token_weights,
            tokens,
            flat,
            word_starts,
            offsets[:-1],
            int(offsets[-1]),
            lexicon_words,
            weights,
        )

    def _vectors(
        self, tokens: TokenIds, word_starts: NDArray[np.int64], openings: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """Unit vectors (n_texts, width) of the whole text and its opening sentence in equal parts, and each
        token's weight (n_ids) in them: the opening of a letter or record says what it is about.
        """
        rows = tokens.texts[tokens.words]
        inside = word_starts[tokens.words] < openings[rows]
        whole, opening = self.encoder.sums(tokens), self.encoder.sums(tokens, inside)
        whole_lengths, opening_lengths = lengths_of(whole), lengths_of(opening)
        vectors: Floats = whole / whole_lengths[:, None] + opening / opening_lengths[:, None]
        lengths = lengths_of(vectors)
        weights = (1 / whole_lengths[rows] + inside / opening_lengths[rows]) / lengths[rows]
        vectors /= lengths[:, None]
        return vectors, weights.astype(np.float32)

    def _lexicon_hits(
        self, words: Sequence[str], tokens: TokenIds
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = np.where(tokens.numbers >= 0, self._terms_of_words[tokens.numbers], -1)
        get = self._terms.get
        for number in np.flatnonzero(tokens.numbers < 0).tolist():
            rows[number] = get(words[number], -1)
        hits = np.flatnonzero(rows >= 0)
        return hits, rows[hits]

    def _character_grams(self, joined: str, offsets: NDArray[np.int64]) -> Occurrences:
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        table = _character_table()
        codes = np.where(codes < len(table), table[np.minimum(codes, len(table) - 1)], 0xFFFD).astype(
            np.uint64
        )
        rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        found: list[Occurrences] = []
        hashes = np.zeros(len(codes), np.uint64)
        alive = np.ones(len(codes), bool)
        for length in range(1, self.config.longest + 1):
            size = len(codes) - length + 1
            if size <= 0:
                break
            last = codes[length - 1 :]
            hashes = (hashes[:size] + last + np.uint64(length)) * _MULTIPLIER
            alive = alive[:size] & (last != _BREAK) & (rows[length - 1 :] == rows[:size])
            starts = np.flatnonzero(alive)
            found.append(
                Occurrences(
                    rows[starts],
                    _mixed(hashes[starts], self.config.bucket_bits),
                    starts,
                    np.full(len(starts), length, np.int64),
                )
            )
        return _joined(*found)

    def _word_grams(
        self, tokens: TokenIds, starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> Occurrences:
        ids = (tokens.numbers + 1).astype(np.uint64)
        known = np.flatnonzero(ids)
        single = (ids[known] + np.uint64(1 << 40)) * _MULTIPLIER
        pairs = known[:-1][(np.diff(known) == 1) & (tokens.texts[known[1:]] == tokens.texts[known[:-1]])]
        double = ((ids[pairs] + np.uint64(1 << 41)) * _MULTIPLIER + ids[pairs + 1]) * _MULTIPLIER
        bits = self.config.bucket_bits
        return _joined(
            Occurrences(
                tokens.texts[known].astype(np.int64), _mixed(single, bits), starts[known], lengths[known]
            ),
            Occurrences(
                tokens.texts[pairs].astype(np.int64),
                _mixed(double, bits),
                starts[pairs],
                lengths[pairs] + lengths[pairs + 1],
            ),
        )


def _joined(*parts: Occurrences) -> Occurrences:
    if not parts:
        empty = np.zeros(0, np.int64)
        return Occurrences(empty, empty, empty, empty)
    return Occurrences(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.buckets for part in parts]),
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.lengths for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class KnownGrams:
    """The sparse features of `n_texts` texts, in order of text and column, a place in the text each.

    `first` marks the first of several occurrences of one column in one text.
    """

    n_texts: int
    rows: NDArray[np.int64]
    columns: NDArray[np.int32]
    first: NDArray[np.bool_]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def norms(self, idf: Floats) -> Floats:
        """Euclidean length (n_texts) of each text's presence × idf; 1 where a text holds no known gram."""
        squares = np.bincount(self.rows[self.first], idf[self.columns[self.first]] ** 2, self.n_texts)
        return np.sqrt(np.where(squares > 0, squares, 1)).astype(np.float32)

    def matrix(self, idf: Floats) -> sparse.csr_matrix:
        """Presence × idf, rows of unit length: (n_texts, n_columns)."""
        rows, columns = self.rows[self.first], self.columns[self.first]
        indptr = np.searchsorted(rows, np.arange(self.n_texts + 1))
        values = idf[columns] / self.norms(idf)[rows]
        return sparse.csr_matrix((values, columns, indptr), shape=(self.n_texts, len(idf)))

    def take(self, kept: NDArray[np.bool_]) -> KnownGrams:
        """The grams of the texts marked in `kept` (n_texts), in order."""
        row, here = np.cumsum(kept) - 1, kept[self.rows]
        return KnownGrams(
            int(kept.sum()),
            row[self.rows[here]],
            self.columns[here],
            self.first[here],
            self.starts[here],
            self.lengths[here],
        )


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which buckets a model knows: `columns` (2**bucket_bits) gives the column of a bucket or -1.

    `idf` (n_columns) weighs a column's rarity.
    """

    columns: NDArray[np.int32]
    idf: Floats

    @property
    def n_columns(self) -> int:
        """Columns the model knows."""
        return len(self.idf)

    def known(self, occurrences: Occurrences, n_texts: int) -> KnownGrams:
        """The occurrences whose bucket the model knows, brought into order of text and column."""
        columns = self.columns[occurrences.buckets]
        which = np.flatnonzero(columns >= 0)
        by_text = np.argsort(occurrences.rows[which].astype(np.min_scalar_type(n_texts)), kind="stable")
        which = which[by_text]
        n_known = np.bincount(occurrences.rows[which], minlength=n_texts)
        grams = sparse.csr_matrix(
            (which, columns[which], np.concatenate([[0], np.cumsum(n_known)])),
            shape=(n_texts, self.n_columns),
        )
        grams.sort_indices()
        rows = np.repeat(np.arange(n_texts), n_known)
        first = np.ones(len(which), bool)
        first[1:] = (grams.indices[1:] != grams.indices[:-1]) | (rows[1:] != rows[:-1])
        starts, lengths = occurrences.starts[grams.data], occurrences.lengths[grams.data]
        return KnownGrams(n_texts, rows, grams.indices, first, starts, lengths)

    def matrix(self, occurrences: Occurrences, n_texts: int) -> sparse.csr_matrix:
        """Presence × idf, rows of unit length: (n_texts, n_columns)."""
        return self.known(occurrences, n_texts).matrix(self.idf)

    @classmethod
    def learn(cls, occurrences: Occurrences, n_texts: int, bucket_bits: int, at_least: int = 2) -> ColumnMap:
        """Keep the buckets that stand in `at_least` texts; idf as in scikit-learn (smooth)."""
        keys = np.unique(occurrences.rows * (1 << bucket_bits) + occurrences.buckets)
        frequency = np.bincount(keys & ((1 << bucket_bits) - 1), minlength=1 << bucket_bits)
        kept = np.flatnonzero(frequency >= at_least)
        columns = np.full(1 << bucket_bits, -1, np.int32)
        columns[kept] = np.arange(len(kept), dtype=np.int32)
        idf = np.log((1 + n_texts) / (1 + frequency[kept])) + 1
        return cls(columns, idf.astype(np.float32))

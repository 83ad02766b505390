"""Laws of retrieval: only what is allowed, as many as there are, nearest first."""

from itertools import compress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching import vectors as vectors_module
from matching.vectors import VectorIndex
from matching.words import WordIndex, WordQuery, mean_length
from models.features import Occurrences

WIDTH = 16


def unit(n_vectors: int, seed: int) -> np.ndarray:
    given = np.random.default_rng(seed).standard_normal((n_vectors, WIDTH)).astype(np.float32)
    return given / np.linalg.norm(given, axis=1, keepdims=True)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 12), st.floats(0, 1), st.integers(0, 99))
def test_the_nearest_allowed_are_found_in_order(n: int, k: int, share: float, seed: int) -> None:
    vectors, query = unit(n, seed), unit(1, seed + 1)[0]
    mask = np.random.default_rng(seed).random(n) < share
    found = VectorIndex(vectors).search(query, mask, k)
    allowed = np.flatnonzero(mask)
    best = allowed[np.argsort(-(vectors[allowed] @ query), kind="stable")][:k]
    assert (vectors[found] @ query) == pytest.approx(vectors[best] @ query, abs=1e-6)
    assert len(set(found.tolist())) == len(found) == min(k, len(allowed))


@pytest.mark.parametrize("share", [0.003, 0.02, 0.5, 1.0])
def test_a_large_index_finds_what_is_allowed_and_most_of_the_nearest(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors_module, "LARGE", 2000)
    monkeypatch.setattr(vectors_module, "_EXACT", 20)
    centres = unit(40, 1)
    vectors = np.repeat(centres, 100, axis=0) + 0.3 * unit(4000, 2)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = VectorIndex(vectors)
    mask = np.random.default_rng(3).random(4000) < share
    allowed, hits, wanted = np.flatnonzero(mask), 0, 0
    for query in centres:
        found = index.search(query, mask, 10)
        best = allowed[np.argsort(-(vectors[allowed] @ query))][:10]
        assert mask[found].all()
        assert len(set(found.tolist())) == min(10, len(allowed))
        hits += len(set(found.tolist()) & set(best.tolist()))
        wanted += len(best)
    assert hits / wanted > 0.8


def occurrences(texts: list[list[int]]) -> Occurrences:
    rows = np.asarray([row for row, text in enumerate(texts) for _ in text], np.int64)
    buckets = np.asarray([gram for text in texts for gram in text], np.int64)
    return Occurrences(rows, buckets, np.zeros(len(rows), np.int64), np.ones(len(rows), np.int64))


TEXTS = st.lists(st.lists(st.integers(0, 30), max_size=12), min_size=1, max_size=8)


@given(TEXTS, st.lists(st.integers(0, 35), max_size=10))
def test_bm25_is_what_its_formula_says(texts: list[list[int]], query: list[int]) -> None:
    index = WordIndex.of(occurrences(texts), len(texts))
    asked = WordQuery.of(occurrences([query]), 1, [index])
    mean = mean_length([index])
    scores = index.scores(asked, mean).toarray()[0]
    most, expected = 0.0, np.zeros(len(texts))
    for gram in set(query):
        holders = [n for n, text in enumerate(texts) if gram in text]
        idf = np.log(1 + (len(texts) - len(holders) + 0.5) / (len(holders) + 0.5))
        most += idf * 2.2
        for n in holders:
            often = texts[n].count(gram)
            expected[n] += idf * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * len(texts[n]) / mean))
    assert scores == pytest.approx(expected / (most or 1), abs=1e-5)
    assert ((scores >= 0) & (scores <= 1 + 1e-6)).all()


@given(TEXTS, TEXTS, st.data())
def test_joined_words_are_those_of_the_kept_texts(
    left: list[list[int]], right: list[list[int]], data: st.DataObject
) -> None:
    kept = [np.asarray([data.draw(st.booleans()) for _ in texts], bool) for texts in (left, right)]
    parts = [WordIndex.of(occurrences(texts), len(texts)) for texts in (left, right)]
    joined = WordIndex.join(list(zip(parts, kept, strict=True)))
    texts = [text for texts, mask in zip((left, right), kept, strict=True) for text in compress(texts, mask)]
    fresh = WordIndex.of(occurrences(texts), len(texts))
    asked = WordQuery.of(occurrences([[1, 2, 3]]), 1, [fresh])
    assert asked.weights.toarray() == pytest.approx(
        WordQuery.of(occurrences([[1, 2, 3]]), 1, [joined]).weights.toarray()
    )
    assert joined.scores(asked, 5.0).toarray() == pytest.approx(fresh.scores(asked, 5.0).toarray())

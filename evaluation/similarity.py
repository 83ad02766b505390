"""Similarity of texts by their character trigrams, and the runs two collections share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

_NOT_WORDS = re.compile(r"[\W_]+")
_BLOCK = 512
_PRIME = 1099511628211
Hashes = NDArray[np.uint64]


def trigrams(texts: Sequence[str]) -> sparse.csr_matrix:
    """Which trigrams of word characters each text holds: 0/1, (n_texts, n_trigrams).

    A text of fewer than three characters counts as one gram of its own.
    """
    numbers: dict[str, int] = {}
    indices: list[int] = []
    borders = [0]
    for text in texts:
        plain = _NOT_WORDS.sub("", text)
        grams = {plain[start : start + 3] for start in range(max(len(plain) - 2, 1))}
        indices.extend(numbers.setdefault(gram, len(numbers)) for gram in sorted(grams))
        borders.append(len(indices))
    ones = np.ones(len(indices), np.float32)
    return sparse.csr_matrix((ones, indices, borders), shape=(len(texts), len(numbers)))


def similar_pairs(texts: Sequence[str], at_least: float) -> list[tuple[int, int, float]]:
    """Pairs of texts whose trigram sets' Jaccard similarity is `at_least` (above 0), with it, most similar first."""
    grams = trigrams(texts)
    sizes = np.diff(grams.indptr)
    pairs: list[tuple[int, int, float]] = []
    for start in range(0, len(texts), _BLOCK):
        common = (grams[start : start + _BLOCK] @ grams.T).tocoo()
        rows, columns = common.row + start, common.col
        similarity = common.data / (sizes[rows] + sizes[columns] - common.data)
        kept = (similarity >= at_least) & (rows < columns)
        found = zip(rows[kept].tolist(), columns[kept].tolist(), similarity[kept].tolist(), strict=True)
        pairs.extend(found)
    return sorted(pairs, key=lambda pair: -pair[2])


def families(n_texts: int, pairs: Iterable[tuple[int, int, float]]) -> NDArray[np.int32]:
    """Numbers (n_texts) of the families that `pairs` join the texts into."""
    edges = np.asarray([(a, b) for a, b, _ in pairs], np.int64).reshape(-1, 2)
    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n_texts, n_texts))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return labels


def run_hashes(text: str, length: int) -> Hashes:
    """Hashes of every run of `length` characters of a text, blanks left out."""
    codes = np.frombuffer("".join(text.split()).encode("utf-32-le", "surrogatepass"), np.uint32)
    if len(codes) < length:
        return np.zeros(0, np.uint64)
    powers = np.asarray([pow(_PRIME, length - 1 - place, 2**64) for place in range(length)], np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(codes.astype(np.uint64), length)
    with np.errstate(over="ignore"):
        hashes: Hashes = (windows * powers).sum(axis=1, dtype=np.uint64)
    return hashes


def sharing_runs(texts: Sequence[str], others: Iterable[str], length: int) -> list[int]:
    """Which texts hold a run of `length` characters that also stands in one of `others`."""
    theirs = [run_hashes(other, length) for other in others]
    known = np.unique(np.concatenate(theirs)) if theirs else np.zeros(0, np.uint64)
    ours = [run_hashes(text, length) for text in texts]
    if not len(known) or not ours:
        return []
    hashes = np.concatenate(ours)
    owners = np.repeat(np.arange(len(texts)), [len(of_text) for of_text in ours])
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    sharing: list[int] = np.unique(owners[known[places] == hashes]).tolist()
    return sharing

"""Drift: whether what comes in, and what is answered, still is what it was in a reference window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from evaluation.columns import Column
from evaluation.ledger import Ledger
from evaluation.periods import Period
from evaluation.tables import Prediction

SAMPLE = 20_000
_WORDS = 2000
_SHUFFLES = 200
_ALPHA = 0.05
_NOTICEABLE = {"V": 0.1, "KS": 0.1, "JS": 0.05}  # effects below these are found in any large sample


@dataclass(frozen=True, slots=True)
class Window:
    """What was answered in a period, at most `SAMPLE` rows, by their random ids."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    confidences: NDArray[np.float64]
    columns: dict[str, Column]


@dataclass(frozen=True, slots=True)
class Drift:
    """One comparison of two windows.

    `effect` is Cramér's V, the Kolmogorov-Smirnov distance or the Jensen-Shannon divergence in bits, each 0–1 and 0
    where nothing changed; `stability` the population stability index (PSI), NaN where it does not apply. `p` is the
    test's, `q` corrected for all the tests made (Benjamini and Hochberg 1995); `drifted` asks for a `q` below 0.05
    and a noticeable effect at once.
    """

    subject: str
    statistic: str
    effect: float
    stability: float
    p: float
    q: float
    drifted: bool


def read_window(ledger: Ledger, period: Period) -> Window:
    """A period's answers as drift sees them."""
    names = ("source", "domain", "tier", "district")
    query = (
        select(
            Prediction.id, Prediction.text, Prediction.confidence, *(getattr(Prediction, n) for n in names)
        )
        .where(*period.within(Prediction.answered_at))
        .order_by(Prediction.id)
        .limit(SAMPLE)
    )
    with ledger.engine.connect() as connection:
        rows = connection.execute(query).all()
    columns = {name: Column.of([row[n] for row in rows]) for n, name in enumerate(names, start=3)}
    sure = np.asarray([row[2] for row in rows], float)
    return Window(tuple(row[0] for row in rows), tuple(row[1] for row in rows), sure, columns)


def find_drift(reference: Window, current: Window, seed: int = 7) -> list[Drift]:
    """Every comparison of two windows. Raises ValueError when one is empty."""
    from scipy import stats

    if not reference.ids or not current.ids:
        raise ValueError("a window without predictions cannot be compared; choose a longer period")
    found: list[tuple[str, str, float, float, float]] = [
        (name, "V", *_compare_shares(reference.columns[name], current.columns[name]))
        for name in ("source", "district", "domain", "tier")
    ]
    lengths = [np.asarray([len(text) for text in one.texts], float) for one in (reference, current)]
    numbers = {"length": lengths, "confidence": [reference.confidences, current.confidences]}
    for name, (before, after) in numbers.items():
        test = stats.ks_2samp(before, after, method="asymp")
        found.append((name, "KS", float(test.statistic), _stability_of(before, after), float(test.pvalue)))
    effect, p = compare_words(reference.texts, current.texts, seed)
    found.append(("vocabulary", "JS", effect, float("nan"), p))
    corrected = stats.false_discovery_control([one[4] for one in found]).tolist()
    return [
        Drift(*one, q=q, drifted=q < _ALPHA and one[2] >= _NOTICEABLE[one[1]])
        for one, q in zip(found, corrected, strict=True)
    ]


def _compare_shares(before: Column, after: Column) -> tuple[float, float, float]:
    """Cramér's V, PSI and the p of the chi-square test of homogeneity."""
    from scipy import stats

    values = sorted({*before.values, *after.values})
    table = np.stack([np.bincount(one.among(values), minlength=len(values)) for one in (before, after)])
    table = table[:, table.sum(axis=0) > 0]
    stability = _psi(table[0].astype(float), table[1].astype(float))
    if table.shape[1] < 2:
        return 0.0, stability, 1.0
    test = stats.chi2_contingency(table, correction=False)
    return float(np.sqrt(test.statistic / table.sum())), stability, float(test.pvalue)


def _stability_of(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """PSI over the deciles of the reference window."""
    edges = np.unique(np.quantile(before, np.linspace(0.1, 0.9, 9)))
    counts = [
        np.bincount(np.searchsorted(edges, one, side="right"), minlength=len(edges) + 1)
        for one in (before, after)
    ]
    return _psi(counts[0].astype(float), counts[1].astype(float))


def _psi(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Population stability index; half a case is lent to each cell so that an empty one stays finite."""
    p, q = ((one + 0.5) / (one.sum() + 0.5 * len(one)) for one in (before, after))
    return float(((q - p) * np.log(q / p)).sum())


def compare_words(before: Sequence[str], after: Sequence[str], seed: int = 7) -> tuple[float, float]:
    """Jensen-Shannon divergence in bits of two windows' words, and its p by shuffling messages between them.

    Whole messages are shuffled, for the words of one message are no independent draws. What chance alone gives
    (the mean over the shuffles) is taken off the divergence.
    """
    from scipy import sparse

    from nlp.segmenter import Segmenter

    segmenter = Segmenter()
    numbers: dict[str, int] = {}
    rows, columns = [], []
    for row, text in enumerate((*before, *after)):
        for word in {word for word in segmenter.cut(text) if len(word) > 1}:
            rows.append(row)
            columns.append(numbers.setdefault(word, len(numbers)))
    n = len(before) + len(after)
    if not numbers:
        return 0.0, 1.0
    held = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(n, len(numbers)))
    frequent = np.argsort(-np.asarray(held.sum(axis=0)).ravel(), kind="stable")[:_WORDS]
    held = held[:, frequent]
    rng, sides = np.random.default_rng(seed), np.zeros((_SHUFFLES + 1, n), np.float32)
    sides[0, : len(before)] = 1
    for shuffle in range(1, _SHUFFLES + 1):
        sides[shuffle, rng.permutation(n)[: len(before)]] = 1
    first = np.asarray((held.T @ sides.T).T, np.float64)
    second = np.asarray(held.sum(axis=0)).ravel()[None] - first
    divergences = _divergence(first, second)
    p = (1 + int((divergences[1:] >= divergences[0]).sum())) / (_SHUFFLES + 1)
    return max(float(divergences[0] - divergences[1:].mean()), 0.0), p


def _divergence(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    p, q = (one / np.maximum(one.sum(axis=1, keepdims=True), 1e-12) for one in (first, second))
    middle = (p + q) / 2

    def entropy(share: NDArray[np.float64]) -> NDArray[np.float64]:
        logs: NDArray[np.float64] = np.log2(share, out=np.zeros_like(share), where=share > 0)
        total: NDArray[np.float64] = -(share * logs).sum(axis=1)
        return total

    return entropy(middle) - (entropy(p) + entropy(q)) / 2

"""Emerging topics: clusters of similar messages that grow faster than all messages do, by time and place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

MOST = 8000
_CUT = 0.8
_NAMES = 5
_SHARED = 0.2  # a word that more than this share of the messages hold tells nothing of what they are about


@dataclass(frozen=True, slots=True)
class Spoken:
    """One message as topics see it; `likes` how many people joined it, 0 where that is not known."""

    text: str
    at: datetime
    district: str = ""
    likes: int = 0


@dataclass(frozen=True, slots=True)
class Topic:
    """A cluster that grew.

    `recent` of its messages came in the recent window, `earlier` before it; `growth` is the ratio of its shares of
    all messages then and before (half a message lent to each), `p` that of the conditional Poisson test of two
    rates (Przyborowski and Wilenski 1940), `q` corrected for all clusters. `heat` rises with count, growth and
    likes. `district` is where most of the recent ones come from, with its `share` of them.
    """

    words: tuple[str, ...]
    recent: int
    earlier: int
    growth: float
    p: float
    q: float
    likes: int
    heat: float
    district: str
    share: float
    members: tuple[int, ...]


def find_emerging(
    messages: Sequence[Spoken], days: int = 14, at_least: int = 4, alpha: float = 0.05
) -> list[Topic]:
    """Clusters of the last `days` days before the newest message that grew, hottest first.

    At most `MOST` messages, the newest, are clustered: words weighed by rarity, cosine, average linkage.
    """
    from scipy import stats

    newest = sorted(range(len(messages)), key=lambda n: messages[n].at)[-MOST:]
    if len(newest) < 2 * at_least:
        return []
    border = messages[newest[-1]].at - timedelta(days=days)
    fresh = np.asarray([messages[n].at > border for n in newest], bool)
    if fresh.all() or not fresh.any():
        return []
    words = _words([messages[n].text for n in newest])
    clusters = cluster(words)
    exposure = fresh.sum() / len(newest)
    candidates = []
    for number in np.unique(clusters[fresh]).tolist():
        rows = np.flatnonzero(clusters == number)
        recent, earlier = int(fresh[rows].sum()), int((~fresh[rows]).sum())
        if recent >= at_least:
            p = float(stats.binomtest(recent, recent + earlier, exposure, alternative="greater").pvalue)
            candidates.append((rows, recent, earlier, p))
    if not candidates:
        return []
    corrected = stats.false_discovery_control([one[3] for one in candidates]).tolist()
    counts = Counter(word for held in words for word in held)
    found = []
    for (rows, recent, earlier, p), q in zip(candidates, corrected, strict=True):
        if q >= alpha:
            continue
        growth = ((recent + 0.5) / fresh.sum()) / ((earlier + 0.5) / (~fresh).sum())
        now = [newest[row] for row in rows[fresh[rows]].tolist()]
        likes = sum(messages[n].likes for n in now)
        heat = np.log2(1 + recent) * np.log2(1 + growth) * (1 + np.log10(1 + likes))
        place, n_there = Counter(messages[n].district for n in now).most_common(1)[0]
        named = name_cluster([words[row] for row in rows.tolist()], counts, len(newest))
        found.append(
            Topic(
                named, recent, earlier, float(growth), p, q, likes, float(heat), place, n_there / recent, tuple(now)
            )
        )  # fmt: skip
    return sorted(found, key=lambda topic: -topic.heat)


def cluster(words: Sequence[frozenset[str]]) -> NDArray[np.int64]:
    """Cluster numbers `(n_messages,)` of messages given as their words."""
    from scipy import sparse
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    n = len(words)
    counts = Counter(word for held in words for word in held)
    kept = {word for word, count in counts.items() if 1 < count <= max(_SHARED * n, 2)}
    numbers = {word: number for number, word in enumerate(sorted(kept))}
    rows = [row for row, held in enumerate(words) for word in held if word in numbers]
    columns = [numbers[word] for held in words for word in held if word in numbers]
    weights = [np.log(n / counts[word]) for held in words for word in held if word in numbers]
    matrix = sparse.csr_matrix(
        (np.asarray(weights, np.float32), (rows, columns)), shape=(n, len(numbers) or 1)
    )
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    matrix = sparse.diags(1 / np.maximum(norms, 1e-9)).astype(np.float32) @ matrix
    distance = np.maximum(1 - (matrix @ matrix.T).toarray(), 0).astype(np.float32)
    np.fill_diagonal(distance, 0)
    tree = hierarchy.linkage(squareform(distance, checks=False), "average")
    labels: NDArray[np.int64] = hierarchy.fcluster(tree, _CUT, "distance").astype(np.int64)
    return labels


def name_cluster(words: Sequence[frozenset[str]], counts: Counter[str], n: int) -> tuple[str, ...]:
    """The words that tell a cluster from the rest (class-based TF-IDF, Grootendorst 2022)."""
    mine = Counter(word for held in words for word in held)
    scores = {
        word: count / len(words) * np.log(1 + n / counts[word])
        for word, count in mine.items()
        if count > 1 and counts[word] <= max(_SHARED * n, 2)
    }
    return tuple(sorted(scores, key=lambda word: (-scores[word], word))[:_NAMES])


def _words(texts: Sequence[str]) -> list[frozenset[str]]:
    from nlp.segmenter import Segmenter

    return [
        frozenset(word for word in words if len(word) > 1 and not word.isdigit())
        for words in Segmenter().cut_batch(texts)
    ]

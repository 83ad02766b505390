"""Learning the topic head: kernel ridge regression on the vectors of the training texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.features import FeatureBatch
from models.topics import SEPARATOR, TopicHead, nearness, owners_of
from nlp.records import LabelledMessage
from training.checkpoints import Arrays, Checkpoints
from training.solver import Fit, fit_kernel, fit_primal, landmark_rows, whitened

Floats = NDArray[np.float32]

MOST_ROWS_AS_LANDMARKS = 12_000


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """How topics are learned.

    `penalty` is the ridge; `gamma` and `kernel_scale` are the Gaussian kernel's; scores are multiplied by
    `sharpness` before the softmax. A topic needs `at_least` records. Beyond `MOST_ROWS_AS_LANDMARKS` records
    `n_landmarks` of them serve as landmarks.
    """

    penalty: float = 0.5
    gamma: float = 1.0
    kernel_scale: float = 4.0
    sharpness: float = 10.0
    at_least: int = 4
    n_landmarks: int = 2048


@dataclass(frozen=True, slots=True)
class LearnedTopics:
    """The head, the records it learned from (n_rows) and the scores (n_rows, n_topics) their folds never saw."""

    head: TopicHead
    rows: NDArray[np.int64]
    held_out: Floats


def learn_topics(
    records: Sequence[LabelledMessage],
    batch: FeatureBatch,
    column_scale: Floats,
    width: int,
    domains: Sequence[str],
    folds: NDArray[np.int64],
    weights: Floats,
    config: TopicConfig,
    progress: Callable[[], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> LearnedTopics | None:
    """The topic head of records whose features are `batch`, or None where fewer than two topics have records enough.

    Where fewer than half of a domain's records name a topic, the domain is one topic. `column_scale` (dense_width)
    multiplies the dense features; the first `width` of them are vectors.
    """
    told = _told_topics(records, domains)
    counts = Counter(told)
    labels = tuple(sorted(label for label, times in counts.items() if label and times >= config.at_least))
    if len(labels) < 2:
        return None
    numbers = {label: number for number, label in enumerate(labels)}
    rows = np.asarray([n for n, label in enumerate(told) if label in numbers], np.int64)
    truth = np.asarray([numbers[told[row]] for row in rows], np.int64)
    targets = (2 * np.eye(len(labels), dtype=np.float32)[truth] - 1).astype(np.float32)
    dense = batch.dense[rows] * column_scale
    vectors = batch.dense[rows][:, :width]
    learn = _by_rows if len(rows) <= MOST_ROWS_AS_LANDMARKS else _by_landmarks

    def computed() -> Arrays:
        found, *parts = learn(dense, vectors, targets, folds[rows], weights[rows], config, progress)
        names = ("dense_weights", "landmarks", "landmark_weights")
        return {"held_out": found.held_out, "bias": found.bias, **dict(zip(names, parts, strict=True))}

    learned = checkpoints.kept("topic", computed) if checkpoints else computed()
    sharpness = np.float32(config.sharpness)
    head = TopicHead(
        labels,
        owners_of(labels, list(domains)),
        learned["dense_weights"] * column_scale[:, None] * sharpness,
        learned["landmarks"].astype(np.float16).astype(np.float32),
        (learned["landmark_weights"] * sharpness).astype(np.float16).astype(np.float32),
        learned["bias"] * sharpness,
        config.gamma,
        1.0,
    )
    return LearnedTopics(head, rows, learned["held_out"] * sharpness)


def _told_topics(records: Sequence[LabelledMessage], domains: Sequence[str]) -> list[str]:
    """The topic of each record, empty where it has none to learn from."""
    all_of = Counter(record.domain for record in records)
    named = Counter(record.domain for record in records if record.topic)
    whole = {domain for domain in domains if 2 * named[domain] < all_of[domain]}
    return [
        f"{r.domain}{SEPARATOR}{'' if r.domain in whole else r.topic}"
        if r.domain in whole or (r.topic and r.domain in domains)
        else ""
        for r in records
    ]


def weighed(head: TopicHead, weight: float) -> TopicHead:
    """The head with another weight beside the domain head."""
    return replace(head, weight=weight)


_Learned = tuple[Fit, Floats, Floats, Floats]


def _by_rows(
    dense: Floats,
    vectors: Floats,
    targets: Floats,
    folds: NDArray[np.int64],
    weights: Floats,
    config: TopicConfig,
    progress: Callable[[], None] | None,
) -> _Learned:
    gram = dense @ dense.T
    gram += np.float32(config.kernel_scale) * nearness(vectors, vectors, config.gamma)
    found = fit_kernel(gram, targets, folds, config.penalty, weights, progress)
    return found, dense.T @ found.weights, vectors, np.float32(config.kernel_scale) * found.weights


def _by_landmarks(
    dense: Floats,
    vectors: Floats,
    targets: Floats,
    folds: NDArray[np.int64],
    weights: Floats,
    config: TopicConfig,
    progress: Callable[[], None] | None,
) -> _Learned:
    landmarks = vectors[landmark_rows(len(vectors), config.n_landmarks)]
    whitening = whitened(nearness(landmarks, landmarks, config.gamma)) * np.float32(
        np.sqrt(config.kernel_scale)
    )
    inputs = np.hstack([dense, nearness(vectors, landmarks, config.gamma) @ whitening])
    found = fit_primal(inputs, targets, folds, config.penalty, weights, progress)
    width = dense.shape[1]
    spanned = np.asarray(whitening @ found.weights[width:], np.float32)
    return found, found.weights[:width], landmarks, spanned

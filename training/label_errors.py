"""Labels that are likely wrong: confident learning (Northcutt, Jiang and Chuang 2021) by cleanlab.

The probabilities come from a quick linear model on the texts' vectors and lexicon topics, each text judged by a
fold that has not seen it, and, where there is one, from a model that has not seen the batch (their geometric mean,
renormalised); time grows linearly with the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import fit_temperature
from models.heads import probabilities
from models.identifier import Identifier, Knowledge
from nlp.extras import require
from nlp.records import LabelledMessage, PreparedMessage
from training.solver import fit_primal

_FEWEST_OF_A_LABEL = 5
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class DoubtfulLabel:
    """A record whose label is likely wrong: its number, what the others suggest, and how likely its own label is.

    `probability` in 0–1 is that of the given label; low means doubtful.
    """

    number: int
    given: str
    suggested: str
    probability: float


def doubtful_labels(
    records: Sequence[LabelledMessage],
    prepared: Sequence[PreparedMessage],
    knowledge: Knowledge,
    judge: Identifier | None = None,
    n_folds: int = 5,
    seed: int = 7,
) -> list[DoubtfulLabel]:
    """The records whose domain is likely wrong, the most doubtful first; records of rare labels are not judged.

    `judge` is a model that knows the same domains and has not learned from the records to be judged.
    """
    find_label_issues = require("cleanlab.filter", "train").find_label_issues
    told = np.asarray([record.domain for record in records])
    names, counts = np.unique(told, return_counts=True)
    labels = names[counts >= _FEWEST_OF_A_LABEL].tolist()
    rows = np.flatnonzero(np.isin(told, labels)).tolist()
    if len(labels) < 2:
        return []
    truth = np.searchsorted(labels, told[rows])
    texts = [prepared[row] for row in rows]
    given = _held_out(_dense(texts, knowledge), truth, len(labels), n_folds, seed)
    if judge is not None and set(labels) <= set(judge.domain_labels):
        given = _agreed(given, _judged(texts, judge, labels))
    found = find_label_issues(
        truth,
        given.astype(np.float64),
        filter_by="both",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    likeliest = given.argmax(axis=1)
    return [
        DoubtfulLabel(rows[n], labels[truth[n]], labels[likeliest[n]], float(given[n, truth[n]]))
        for n in found.tolist()
    ]


def _judged(
    prepared: Sequence[PreparedMessage], judge: Identifier, labels: Sequence[str]
) -> NDArray[np.float32]:
    columns = [judge.domain_labels.index(label) for label in labels]
    starts = range(0, len(prepared), _BLOCK)
    return np.vstack([judge.domain_probabilities(prepared[n : n + _BLOCK])[:, columns] for n in starts])


def _agreed(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    together = np.sqrt(first * second) + np.float32(1e-9)
    shares: NDArray[np.float32] = together / together.sum(axis=1, keepdims=True)
    return shares


def _dense(prepared: Sequence[PreparedMessage], knowledge: Knowledge) -> NDArray[np.float32]:
    extractor = knowledge.extractor()
    blocks = [
        extractor.extract(prepared[start : start + _BLOCK]).dense for start in range(0, len(prepared), _BLOCK)
    ]
    return np.vstack(blocks)


def _held_out(
    inputs: NDArray[np.float32], truth: NDArray[np.int64], n_labels: int, n_folds: int, seed: int
) -> NDArray[np.float32]:
    folds = np.random.default_rng(seed).integers(0, n_folds, len(truth))
    targets = (2 * np.eye(n_labels, dtype=np.float32)[truth] - 1).astype(np.float32)
    scores = fit_primal(inputs, targets, folds, 0.5, np.ones(len(truth), np.float32)).held_out
    return probabilities(scores * np.float32(fit_temperature(scores, truth)), exclusive=True)

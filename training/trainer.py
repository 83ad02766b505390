"""Training: labelled messages to an artifact, the same bytes for the same inputs on one machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from evaluation.metrics import classification_report
from models.artifact import pack_arrays, pack_json
from models.calibration import fit_scaling, threshold_for_accuracy, threshold_for_f
from models.decisions import PRESENT, REVIEW, at_least_this_pressing, choose
from models.features import ColumnMap, FeatureBatch, FeatureConfig
from models.heads import DOMAIN, SECONDARY, TIER, URGENCY, Head, LinearHeads, lay_out, probabilities
from models.identifier import Knowledge
from nlp.preparing import Preparer
from nlp.records import LabelledMessage
from nlp.taxonomy import Taxonomy
from training.card import model_card
from training.solver import Fit, fit

Floats = NDArray[np.float32]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How heads are trained.

    `penalty` is the L2 penalty on the weights; `dense_scale` weighs the dense block against the unit-length
    sparse one; `n_folds` held-out folds give the scores that calibration learns from; `review_accuracy` is
    the accuracy wanted of answers that need no review; `urgency_beta` above 1 favours recall.
    """

    penalty: float = 0.5
    dense_scale: float = 1.0
    at_least: int = 3
    n_folds: int = 5
    review_accuracy: float = 0.95
    urgency_beta: float = 2.0
    seed: int = 7


@dataclass(frozen=True, slots=True)
class _Task:
    """One head's rows and truth: class numbers for exclusive heads, a 0/1 matrix otherwise."""

    head: Head
    rows: NDArray[np.int64]
    truth: NDArray[np.int64]

    @property
    def targets(self) -> Floats:
        """What the solver fits: +1 for a label that holds, -1 for one that does not (n_rows, n_labels)."""
        holds = (
            np.eye(len(self.head.labels), dtype=np.float32)[self.truth] if self.head.exclusive else self.truth
        )
        return (2 * holds - 1).astype(np.float32)


class TrainingError(ValueError):
    """Labelled data that cannot be learned from, with the remedy."""


def train(
    records: Sequence[LabelledMessage],
    knowledge: Knowledge,
    config: TrainingConfig | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Learn heads for `records` over `knowledge`; returns the artifact's files and facts.

    `progress(step, done, of)` is called after each fit. Raises TrainingError when a domain has fewer than
    two records.
    """
    config = config or TrainingConfig()
    report = progress or (lambda _step, _done, _of: None)
    taxonomy = knowledge.taxonomy
    features = FeatureConfig()
    prepared = Preparer(taxonomy).prepare([record.message for record in records])
    batch = knowledge.extractor(features).extract(prepared)
    columns = ColumnMap.learn(batch.occurrences, batch.n_texts, features.bucket_bits, config.at_least)
    inputs = _inputs(batch, columns, config)
    folds = _folds(records, config)
    fitted: list[tuple[Head, Floats, Floats]] = []
    held_out: dict[str, dict[str, Any]] = {}
    together = _sharing_rows(_tasks(records, taxonomy))
    for number, tasks in enumerate(together):
        rows = tasks[0].rows
        targets = np.hstack([task.targets for task in tasks])
        found = fit(inputs[rows], targets, folds[rows], config.penalty)
        for task, columns_of in zip(tasks, _column_blocks(tasks), strict=True):
            fitted.append(_calibrated(task, found, columns_of, config))
            if task.head.exclusive:
                held_out[task.head.name] = _figures(task, fitted[-1][0], found.held_out[:, columns_of])
        report(tasks[0].head.name, number + 1, len(together))
    fitted.sort(key=lambda one: one[0].start)
    heads = _assemble(fitted, columns, config)
    facts = {
        "n_records": len(records),
        "data_sha256": fingerprint(records),
        "config": asdict(config),
        "taxonomy_version": taxonomy.version,
        "encoder_words": len(knowledge.encoder.vocabulary),
        "encoder_width": knowledge.encoder.width,
        "lexicon_terms": len(knowledge.lexicon),
        "n_folds": config.n_folds,
        "held_out": dict(sorted(held_out.items())),
    }
    files = dict(knowledge.files) | _pack(heads, features) | {"card.md": model_card(facts).encode()}
    return files, facts


def _inputs(batch: FeatureBatch, columns: ColumnMap, config: TrainingConfig) -> sparse.csr_matrix:
    matrix = columns.matrix(batch.occurrences, batch.n_texts)
    return sparse.hstack([matrix, sparse.csr_matrix(batch.dense * config.dense_scale)], format="csr")


def _tasks(records: Sequence[LabelledMessage], taxonomy: Taxonomy) -> list[_Task]:
    used = [record.domain for record in records]
    domains = tuple(domain for domain in taxonomy.domain_ids if used.count(domain) >= 2)
    if len(domains) < 2:
        raise TrainingError("fewer than two domains have two records each; give a larger batch")
    has_secondary = any(record.secondary for record in records)
    decisions: list[tuple[str, Sequence[str], bool]] = [
        (DOMAIN, domains, True),
        (SECONDARY, [d for d in domains if d != taxonomy.none_id] if has_secondary else (), False),
        (TIER, _used(taxonomy.tier_ids, [record.tier for record in records]), True),
        (URGENCY, _used(taxonomy.urgency_ids, [record.urgency for record in records]), True),
    ]
    tasks = []
    for head in lay_out(decisions):
        if head.exclusive:
            labels = [_label(record, head.name) for record in records]
            rows = np.asarray([n for n, label in enumerate(labels) if label in head.labels], np.int64)
            truth = np.asarray([head.labels.index(labels[row] or "") for row in rows], np.int64)
        else:
            rows = np.arange(len(records))
            truth = np.asarray(
                [
                    [label == record.domain or label in record.secondary for label in head.labels]
                    for record in records
                ],
                np.int64,
            )
        tasks.append(_Task(head, rows, truth))
    return tasks


def _used(labels: Sequence[str], given: Sequence[str | None]) -> tuple[str, ...]:
    used = tuple(label for label in labels if given.count(label) >= 2)
    return used if len(used) >= 2 else ()


def _label(record: LabelledMessage, name: str) -> str | None:
    return {DOMAIN: record.domain, TIER: record.tier, URGENCY: record.urgency}[name]


def _folds(records: Sequence[LabelledMessage], config: TrainingConfig) -> NDArray[np.int64]:
    """Fold numbers (n_records) by a hash of the text: a record keeps its fold whatever its neighbours."""
    digests = (
        hashlib.sha256(f"{config.seed}:{record.message.full_text}".encode()).digest() for record in records
    )
    return np.fromiter((digest[0] % config.n_folds for digest in digests), np.int64, len(records))


def _sharing_rows(tasks: Sequence[_Task]) -> list[list[_Task]]:
    groups: dict[bytes, list[_Task]] = {}
    for task in tasks:
        groups.setdefault(task.rows.tobytes(), []).append(task)
    return list(groups.values())


def _column_blocks(tasks: Sequence[_Task]) -> list[slice]:
    borders = np.cumsum([0] + [len(task.head.labels) for task in tasks]).tolist()
    return [slice(a, b) for a, b in pairwise(borders)]


def _calibrated(
    task: _Task, found: Fit, columns: slice, config: TrainingConfig
) -> tuple[Head, Floats, Floats]:
    """The head with its thresholds, and its weights and bias scaled so that scores give probabilities."""
    held_out = found.held_out[:, columns]
    scale, shift = fit_scaling(held_out, task.truth, exclusive=task.head.exclusive)
    head = _with_thresholds(task, held_out * scale + shift, config)
    return head, found.weights[:, columns] * scale, found.bias[columns] * scale + shift


def _figures(task: _Task, head: Head, scores: Floats) -> dict[str, Any]:
    """Accuracy and macro-F1 of the held-out answers, as the finished model would decide."""
    scale, shift = fit_scaling(scores, task.truth, exclusive=True)
    given = choose(head, probabilities(scores * scale + shift, exclusive=True))
    labels = head.labels
    report = classification_report([labels[n] for n in task.truth], [labels[n] for n in given], labels)
    return {"n": report.n, "accuracy": asdict(report.accuracy), "macro_f1": asdict(report.macro_f1)}


def _with_thresholds(task: _Task, scores: Floats, config: TrainingConfig) -> Head:
    head = task.head
    given = probabilities(scores, exclusive=head.exclusive)
    if head.name == SECONDARY:
        truth = task.truth.astype(bool)
        others = np.ones_like(truth)
        others[np.arange(len(truth)), scores.argmax(axis=1)] = False
        return replace(head, thresholds={PRESENT: threshold_for_f(given[others], truth[others], 1.0)})
    if head.name == DOMAIN:
        right = given.argmax(axis=1) == task.truth
        return replace(
            head,
            thresholds={REVIEW: threshold_for_accuracy(given.max(axis=1), right, config.review_accuracy)},
        )
    if head.name == URGENCY:
        reached = at_least_this_pressing(given)
        return replace(
            head,
            thresholds={
                label: threshold_for_f(reached[:, number], task.truth <= number, config.urgency_beta)
                for number, label in enumerate(head.labels[:-1])
            },
        )
    return head


def _assemble(
    fitted: Sequence[tuple[Head, Floats, Floats]], columns: ColumnMap, config: TrainingConfig
) -> LinearHeads:
    weights = np.hstack([weights for _, weights, _ in fitted])
    sparse_weights, dense_weights = weights[: columns.n_columns], weights[columns.n_columns :]
    return LinearHeads(
        tuple(head for head, _, _ in fitted),
        columns,
        sparse_weights,
        (dense_weights * config.dense_scale).astype(np.float32),
        np.concatenate([bias for _, _, bias in fitted]),
    )


def _pack(heads: LinearHeads, features: FeatureConfig) -> dict[str, bytes]:
    buckets = np.flatnonzero(heads.columns.columns >= 0)
    arrays: dict[str, NDArray[Any]] = {
        "buckets": buckets.astype(np.int32),
        "idf": heads.columns.idf,
        "sparse_weights": heads.sparse_weights.astype(np.float16),
        "dense_weights": heads.dense_weights,
        "bias": heads.bias,
    }
    settings = {"features": asdict(features), "heads": [asdict(head) for head in heads.heads]}
    return {"heads.safetensors": pack_arrays(arrays), "heads.json": pack_json(settings)}


def fingerprint(records: Sequence[LabelledMessage]) -> str:
    """SHA-256 over the records' content, in order."""
    digest = hashlib.sha256()
    for record in records:
        row = (record.message.full_text, record.message.source, record.domain, record.secondary, record.tier)
        digest.update(repr((*row, record.urgency)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()

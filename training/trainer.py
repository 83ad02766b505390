"""Training: labelled messages to an artifact, the same bytes for the same inputs on one machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import classification_report
from models.artifact import pack_arrays, pack_json, version_of
from models.calibration import fit_scaling, fit_temperature, threshold_for_accuracy, threshold_for_f
from models.decisions import PRESENT, REVIEW, at_least_this_pressing, choose
from models.features import ColumnMap, FeatureBatch, FeatureConfig
from models.heads import DOMAIN, SECONDARY, TIER, URGENCY, Head, LinearHeads, lay_out, probabilities
from models.identifier import Knowledge
from models.topics import TopicHead
from nlp.preparing import Preparer
from nlp.records import LabelledMessage
from nlp.taxonomy import Taxonomy
from training.card import model_card
from training.checkpoints import Checkpoints
from training.environment import numpy_environment
from training.inputs import Inputs
from training.solver import Fit, fit
from training.topics import LearnedTopics, TopicConfig, learn_topics, weighed

ENOUGH_TO_CALIBRATE = 500

_NOT_WORDS = re.compile(r"[\W_]+")

Floats = NDArray[np.float32]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How heads are trained.

    `penalty` is the L2 penalty on the weights; `encoder_scale` weighs the encoder's unit vector against the
    unit-length sparse features; a sparse feature must stand in `at_least` texts; hard records count
    `hard_weight`, for they are many more than in life; where topics are known, domain scores are multiplied by
    `domain_sharpness` beside the topics' evidence. `n_folds` held-out folds give the scores that calibration
    learns from; `review_accuracy` is the accuracy wanted of answers that need no review; `urgency_beta` above 1
    favours recall.
    """

    penalty: float = 0.5
    encoder_scale: float = 1.4
    at_least: int = 3
    hard_weight: float = 0.5
    domain_sharpness: float = 3.0
    topics: TopicConfig = field(default_factory=TopicConfig)
    n_folds: int = 5
    review_accuracy: float = 0.95
    urgency_beta: float = 2.0
    seed: int = 7


@dataclass(frozen=True, slots=True)
class _Task:
    """One head's rows and truth: class numbers for exclusive heads, a 0/1 matrix otherwise.

    `typical` (n_rows) marks the records calibration learns from: of the domain the natural ones where there are
    enough, for they are as sure or doubtful as ordinary messages; else all but the hard ones.
    """

    head: Head
    rows: NDArray[np.int64]
    truth: NDArray[np.int64]
    typical: NDArray[np.bool_]

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
    counts: Floats | None = None,
    state: Path | None = None,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Learn heads for `records` over `knowledge`; returns the artifact's files and facts.

    `progress(step, done, of)` is called after each fit on a fold; `counts` (n_records) is how much each record
    counts, 1 by default. With a folder `state`, a run of the same inputs that was cut goes on where it stopped.
    Raises TrainingError when a domain has fewer than two records.
    """
    config = config or TrainingConfig()
    checkpoints = Checkpoints(state, _key(records, knowledge, config, counts)) if state else None
    taxonomy = knowledge.taxonomy
    features = FeatureConfig()
    prepared = Preparer(taxonomy).prepare([record.message for record in records])
    extractor = knowledge.extractor(features)
    batch = extractor.extract(prepared)
    columns = ColumnMap.learn(batch.occurrences, batch.n_texts, features.bucket_bits, config.at_least)
    width = extractor.width
    column_scale = np.ones(batch.dense.shape[1], np.float32)
    column_scale[:width] = config.encoder_scale
    inputs = _inputs(batch, columns, column_scale)
    folds = _folds(records, config)
    weights = np.asarray([config.hard_weight if r.hard else 1.0 for r in records], np.float32)
    if counts is not None:
        weights = weights * counts.astype(np.float32)
    fitted: list[tuple[Head, Floats, Floats]] = []
    held_out: dict[str, dict[str, Any]] = {}
    tasks = _tasks(records, taxonomy)
    together = _sharing_rows(tasks)
    steps = _Steps(progress, (len(together) + 1) * (config.n_folds + 1))
    topics = learn_topics(
        records,
        batch,
        column_scale,
        width,
        tasks[0].head.labels,
        folds,
        weights,
        config.topics,
        steps.named("topic"),
        checkpoints,
    )
    for group in together:
        found = _fit_group(group, inputs, folds, weights, config, steps, checkpoints)
        for task, columns_of in zip(group, _column_blocks(group), strict=True):
            if task.head.name == DOMAIN and topics is not None:
                head, topics, scores, *learned = _blended(task, found, columns_of, topics, config)
            else:
                head, scores, *learned = _calibrated(task, found, columns_of, config)
            fitted.append((head, learned[0], learned[1]))
            if task.head.exclusive:
                held_out[task.head.name] = _figures(task, head, scores)
    steps.finish()
    fitted.sort(key=lambda one: one[0].start)
    heads = _assemble(fitted, columns, column_scale)
    shifts = no_need_shifts(records, weights, taxonomy)
    facts = {
        "n_records": len(records),
        "data_sha256": fingerprint(records),
        "config": asdict(config),
        "taxonomy_version": taxonomy.version,
        "encoder_words": len(knowledge.encoder.vocabulary),
        "encoder_width": knowledge.encoder.width,
        "lexicon_terms": len(knowledge.lexicon),
        "backbone_width": knowledge.backbone.width if knowledge.backbone else None,
        "n_folds": config.n_folds,
        "held_out": dict(sorted(held_out.items())),
    }
    packed = _pack(heads, topics.head if topics else None, shifts, features)
    return dict(knowledge.files) | packed | {"card.md": model_card(facts).encode()}, facts


@dataclass
class _Steps:
    """Counts fits on folds towards all there are."""

    progress: Progress | None
    of: int
    done: int = 0

    def named(self, step: str) -> Callable[[], None]:
        def count() -> None:
            self.done = min(self.done + 1, self.of)
            if self.progress:
                self.progress(step, self.done, self.of)

        return count

    def finish(self) -> None:
        if self.progress and self.done < self.of:
            self.progress("done", self.of, self.of)


def _fit_group(
    group: Sequence[_Task],
    inputs: Inputs,
    folds: NDArray[np.int64],
    weights: Floats,
    config: TrainingConfig,
    steps: _Steps,
    checkpoints: Checkpoints | None,
) -> Fit:
    """One fit for tasks that learn from the same rows."""
    rows, name = group[0].rows, group[0].head.name
    targets = np.hstack([task.targets for task in group])

    def learn() -> dict[str, NDArray[Any]]:
        found = fit(inputs.take(rows), targets, folds[rows], config.penalty, weights[rows], steps.named(name))
        return {part.name: getattr(found, part.name) for part in fields(Fit)}

    return Fit(**(checkpoints.kept(name, learn) if checkpoints else learn()))


def _key(
    records: Sequence[LabelledMessage],
    knowledge: Knowledge,
    config: TrainingConfig,
    counts: Floats | None,
) -> str:
    parts = (fingerprint(records), version_of(knowledge.files), asdict(config), numpy_environment())
    digest = hashlib.sha256(repr(parts).encode())
    digest.update(b"" if counts is None else counts.astype(np.float32).tobytes())
    return digest.hexdigest()


def _inputs(batch: FeatureBatch, columns: ColumnMap, column_scale: Floats) -> Inputs:
    return Inputs(columns.matrix(batch.occurrences, batch.n_texts), batch.dense * column_scale)


def no_need_shifts(
    records: Sequence[LabelledMessage], weights: Floats, taxonomy: Taxonomy
) -> dict[str, float]:
    """How far each source's log-odds of no need lie from those of the records, where the taxonomy expects a share."""
    shifts = {}
    for source, expected in taxonomy.no_need_shares.items():
        rows = [n for n, record in enumerate(records) if record.message.source == source]
        share = sum(float(weights[n]) for n in rows if records[n].domain == taxonomy.none_id)
        total = sum(float(weights[n]) for n in rows)
        if 0 < share < total:
            odds = share / (total - share)
            shifts[source] = round(float(np.log(expected / (1 - expected)) - np.log(odds)), 4)
    return shifts


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
        tasks.append(_Task(head, rows, truth, _typical(head, [records[row] for row in rows])))
    return tasks


def _typical(head: Head, records: Sequence[LabelledMessage]) -> NDArray[np.bool_]:
    natural = np.asarray([record.natural for record in records], bool)
    plain = np.asarray([not record.hard for record in records], bool)
    if head.name == DOMAIN and natural.sum() >= ENOUGH_TO_CALIBRATE:
        return natural
    return plain if plain.any() else ~plain


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
) -> tuple[Head, Floats, Floats, Floats]:
    """The head with its thresholds, its calibrated held-out scores, and its weights and bias scaled alike."""
    held_out = found.held_out[:, columns]
    known, truth = held_out[task.typical], task.truth[task.typical]
    scale, shift = fit_scaling(known, truth, exclusive=task.head.exclusive)
    scores = held_out * scale + shift
    head = _with_thresholds(task, scores, config)
    return head, scores, found.weights[:, columns] * scale, found.bias[columns] * scale + shift


def _blended(
    task: _Task, found: Fit, columns: slice, topics: LearnedTopics, config: TrainingConfig
) -> tuple[Head, LearnedTopics, Floats, Floats, Floats]:
    """As `_calibrated`, for domain scores beside the topics' evidence: one temperature for their sum."""
    sharpness = np.float32(config.domain_sharpness)
    scores = found.held_out[:, columns] * sharpness
    rows = np.searchsorted(task.rows, topics.rows)
    scores[rows] += topics.head.evidence(topics.held_out, scores.shape[1])
    weight = np.float32(fit_temperature(scores[task.typical], task.truth[task.typical]))
    scores *= weight
    topics = replace(topics, head=weighed(topics.head, float(weight)))
    head = _with_thresholds(task, scores, config)
    scale = sharpness * weight
    return head, topics, scores, found.weights[:, columns] * scale, found.bias[columns] * scale


def _figures(task: _Task, head: Head, scores: Floats) -> dict[str, Any]:
    """Accuracy and macro-F1 of the held-out answers, as the finished model would decide."""
    given = choose(head, probabilities(scores, exclusive=True))
    labels = head.labels
    report = classification_report([labels[n] for n in task.truth], [labels[n] for n in given], labels)
    figures = {"n": report.n, "accuracy": asdict(report.accuracy), "macro_f1": asdict(report.macro_f1)}
    return figures | {"labels": list(report.labels), "confusion": report.confusion}


def _with_thresholds(task: _Task, scores: Floats, config: TrainingConfig) -> Head:
    head, truth = task.head, task.truth[task.typical]
    given = probabilities(scores[task.typical], exclusive=head.exclusive)
    if head.name == SECONDARY:
        present = truth.astype(bool)
        others = np.ones_like(present)
        others[np.arange(len(present)), given.argmax(axis=1)] = False
        return replace(head, thresholds={PRESENT: threshold_for_f(given[others], present[others], 1.0)})
    if head.name == DOMAIN:
        right = given.argmax(axis=1) == truth
        return replace(
            head,
            thresholds={REVIEW: threshold_for_accuracy(given.max(axis=1), right, config.review_accuracy)},
        )
    if head.name == URGENCY:
        reached = at_least_this_pressing(given)
        return replace(
            head,
            thresholds={
                label: threshold_for_f(reached[:, number], truth <= number, config.urgency_beta)
                for number, label in enumerate(head.labels[:-1])
            },
        )
    return head


def _assemble(
    fitted: Sequence[tuple[Head, Floats, Floats]], columns: ColumnMap, column_scale: Floats
) -> LinearHeads:
    weights = np.hstack([weights for _, weights, _ in fitted])
    sparse_weights, dense_weights = weights[: columns.n_columns], weights[columns.n_columns :]
    return LinearHeads(
        tuple(head for head, _, _ in fitted),
        columns,
        sparse_weights,
        (dense_weights * column_scale[:, None]).astype(np.float32),
        np.concatenate([bias for _, _, bias in fitted]),
    )


def _pack(
    heads: LinearHeads, topics: TopicHead | None, shifts: dict[str, float], features: FeatureConfig
) -> dict[str, bytes]:
    buckets = np.flatnonzero(heads.columns.columns >= 0)
    arrays: dict[str, NDArray[Any]] = {
        "buckets": buckets.astype(np.int32),
        "idf": heads.columns.idf,
        "sparse_weights": heads.sparse_weights.astype(np.float16),
        "dense_weights": heads.dense_weights,
        "bias": heads.bias,
    }
    settings: dict[str, Any] = {
        "features": asdict(features),
        "heads": [asdict(head) for head in heads.heads],
        "no_need_shifts": shifts,
    }
    if topics is not None:
        settings["topics"] = {"labels": topics.labels, "gamma": topics.gamma, "weight": topics.weight}
        arrays |= {
            "topic_owners": topics.owners.astype(np.int32),
            "topic_dense_weights": topics.dense_weights,
            "topic_bias": topics.bias,
            "landmarks": topics.landmarks.astype(np.float16),
            "landmark_weights": topics.landmark_weights.astype(np.float16),
        }
    return {"heads.safetensors": pack_arrays(arrays), "heads.json": pack_json(settings)}


def text_key(record: LabelledMessage) -> str:
    """16 hexadecimal digits that stand for a record's text, whatever its spaces and punctuation."""
    plain = _NOT_WORDS.sub("", record.message.full_text).casefold()
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def fingerprint(records: Sequence[LabelledMessage]) -> str:
    """SHA-256 over the records' content, in order."""
    digest = hashlib.sha256()
    for record in records:
        message = record.message
        labels = (record.domain, record.secondary, record.tier, record.urgency, record.topic)
        kinds = (record.hard, record.natural)
        digest.update(
            repr((message.full_text, message.source, *labels, *kinds)).encode("utf-8", "surrogatepass")
        )
    return digest.hexdigest()

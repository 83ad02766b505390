"""Decisions: from the heads' scores to labels, confidences and the wish for a person's look."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.heads import DOMAIN, SECONDARY, TIER, URGENCY, Head, LinearHeads
from nlp.taxonomy import Taxonomy

REVIEW, PRESENT = "review", "present"


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided for `n` texts.

    `domain` (n) numbers `domain_labels`; `confidence` (n) is in 0–1; `secondary` (n, n_need_domains) marks
    further needs, with their probabilities in `secondary_confidence`; `tier` and `urgency` are labels or None.
    """

    domain_labels: tuple[str, ...]
    domain: NDArray[np.int64]
    confidence: NDArray[np.float32]
    secondary: NDArray[np.bool_]
    secondary_confidence: NDArray[np.float32]
    tier: tuple[str | None, ...]
    urgency: tuple[str | None, ...]
    review: NDArray[np.bool_]

    def with_nothing_said(self, empty: NDArray[np.bool_], taxonomy: Taxonomy) -> Decisions:
        """The same, with the texts marked in `empty` holding surely no need."""
        if not empty.any() or taxonomy.none_id not in self.domain_labels:
            return self
        calm = taxonomy.urgency_ids[-1] if taxonomy.urgency_ids else None
        return replace(
            self,
            domain=np.where(empty, self.domain_labels.index(taxonomy.none_id), self.domain),
            confidence=np.where(empty, np.float32(1), self.confidence),
            secondary=self.secondary & ~empty[:, None],
            urgency=tuple(calm if gone else given for gone, given in zip(empty, self.urgency, strict=True)),
            review=self.review & ~empty,
        )


def decide(heads: LinearHeads, scores: NDArray[np.float32], taxonomy: Taxonomy) -> Decisions:
    """Labels for joint scores (n_texts, n_outputs)."""
    domain_head = heads.head(DOMAIN)
    assert domain_head is not None
    given = domain_head.probabilities(scores)
    domain = given.argmax(axis=1)
    confidence = given[np.arange(len(given)), domain]
    review = confidence < domain_head.thresholds.get(REVIEW, 0.0)
    needless = np.zeros(len(given), bool)
    if taxonomy.none_id in domain_head.labels:
        needless = domain == domain_head.labels.index(taxonomy.none_id or "")
    urgency, pressing = _urgency(heads, scores)
    review = review | (needless & pressing)
    secondary, secondary_confidence = _secondary(heads, scores, domain, domain_head.labels)
    return Decisions(
        domain_head.labels,
        domain,
        confidence,
        secondary & ~needless[:, None],
        secondary_confidence,
        _tier(heads, scores),
        urgency,
        review,
    )


def _tier(heads: LinearHeads, scores: NDArray[np.float32]) -> tuple[str | None, ...]:
    head = heads.head(TIER)
    if head is None:
        return (None,) * len(scores)
    return tuple(head.labels[number] for number in head.probabilities(scores).argmax(axis=1))


def _urgency(
    heads: LinearHeads, scores: NDArray[np.float32]
) -> tuple[tuple[str | None, ...], NDArray[np.bool_]]:
    head = heads.head(URGENCY)
    if head is None:
        return (None,) * len(scores), np.zeros(len(scores), bool)
    chosen = choose(head, head.probabilities(scores))
    return tuple(head.labels[number] for number in chosen), chosen < len(head.labels) - 1


def choose(head: Head, given: NDArray[np.float32]) -> NDArray[np.int64]:
    """Label numbers (n) for an exclusive head's probabilities (n, n_labels).

    The likeliest label; of urgency, the most pressing label whose probability, with all above it, reaches its
    threshold.
    """
    if head.name != URGENCY:
        likeliest: NDArray[np.int64] = given.argmax(axis=1)
        return likeliest
    reached = at_least_this_pressing(given)
    chosen = np.full(len(given), len(head.labels) - 1)
    for number in reversed(range(len(head.labels) - 1)):
        chosen[reached[:, number] >= head.thresholds.get(head.labels[number], 0.5)] = number
    return chosen


def at_least_this_pressing(given: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability (n, n_urgencies) of a label or any more pressing one; labels run from the most pressing."""
    cumulative: NDArray[np.float32] = np.cumsum(given, axis=1)
    return cumulative


def _secondary(
    heads: LinearHeads, scores: NDArray[np.float32], domain: NDArray[np.int64], labels: tuple[str, ...]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    head = heads.head(SECONDARY)
    if head is None:
        return np.zeros((len(scores), 0), bool), np.zeros((len(scores), 0), np.float32)
    given = head.probabilities(scores)
    primary = np.asarray([head.labels.index(label) if label in head.labels else -1 for label in labels])
    present = given >= head.thresholds.get(PRESENT, 0.5)
    present[np.arange(len(scores)), primary[domain]] &= primary[domain] < 0
    return present, given

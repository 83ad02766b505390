"""Decisions: from the heads' scores to labels, confidences and the wish for a person's look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.heads import DOMAIN, SECONDARY, TIER, URGENCY, Head, LinearHeads, Reading, probabilities
from models.topics import TopicHead
from nlp.taxonomy import Taxonomy

REVIEW, PRESENT = "review", "present"
DOUBTFUL, PRESSING = "low_confidence", "urgent_without_need"
REVIEW_REASONS = {
    DOUBTFUL: "领域把握不足 · the domain is in doubt",
    PRESSING: "判为无需求但读来紧急 · no need found, yet it reads as urgent",
}


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided for `n` texts.

    `domain` (n) numbers `domain_labels`; `confidence` (n) is in 0–1; `secondary` (n, n_need_domains) marks
    further needs, with their probabilities in `secondary_confidence`; `tier` and `urgency` are labels or None;
    `reached` (n, n_urgencies) is the probability of each urgency or a more pressing one; `doubtful` and `pressing`
    (n) mark what a person should look at.
    """

    domain_labels: tuple[str, ...]
    domain: NDArray[np.int64]
    confidence: NDArray[np.float32]
    secondary: NDArray[np.bool_]
    secondary_confidence: NDArray[np.float32]
    tier: tuple[str | None, ...]
    tier_confidence: NDArray[np.float32]
    urgency: tuple[str | None, ...]
    reached: NDArray[np.float32]
    doubtful: NDArray[np.bool_]
    pressing: NDArray[np.bool_]

    def review_reasons(self, row: int) -> tuple[str, ...]:
        """Why text `row` should be looked at by a person; empty where it need not."""
        reasons = ((DOUBTFUL, self.doubtful[row]), (PRESSING, self.pressing[row]))
        return tuple(reason for reason, holds in reasons if holds)

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
            reached=np.where(empty[:, None], np.float32(0), self.reached),
            doubtful=self.doubtful & ~empty,
            pressing=self.pressing & ~empty,
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """What texts known to hold a need are likely to be about, as probabilities in 0–1.

    `domains` (n_texts, n_domains), `topics` (n_texts, n_topics) and `tiers` (n_texts, n_tiers) sum to one a text, or are
    empty where the model has no such head.
    """

    domain_labels: tuple[str, ...]
    domains: NDArray[np.float32]
    topic_labels: tuple[str, ...]
    topics: NDArray[np.float32]
    tier_labels: tuple[str, ...]
    tiers: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decider:
    """What turns features into decisions.

    `no_need_shifts` are log-odds by source id: how much rarer or commoner messages without a need are in that
    channel than in the training data (prior shift, Saerens, Latinne and Decaestecker 2002).
    """

    heads: LinearHeads
    topics: TopicHead | None
    no_need_shifts: Mapping[str, float]
    taxonomy: Taxonomy

    def domain_scores(
        self, reading: Reading, scores: NDArray[np.float32], sources: Sequence[str | None]
    ) -> NDArray[np.float32]:
        """Domain scores (n_texts, n_domains) whose softmax is the calibrated probability."""
        head = self.heads.head(DOMAIN)
        assert head is not None
        domain: NDArray[np.float32] = scores[:, head.columns]
        if self.topics is not None:
            found = self.topics.scores(reading.batch.dense)
            domain = domain + self.topics.evidence(found, len(head.labels))
        return domain + self.prior_shifts(sources, head.labels)

    def prior_shifts(self, sources: Sequence[str | None], labels: Sequence[str]) -> NDArray[np.float32]:
        """What each text's channel adds to its domain scores (n_texts, n_domains)."""
        shifts = np.zeros((len(sources), len(labels)), np.float32)
        none_id = self.taxonomy.none_id
        if none_id in labels:
            column = labels.index(none_id or "")
            shifts[:, column] = [self.no_need_shifts.get(source or "", 0.0) for source in sources]
        return shifts

    def decide(self, reading: Reading, sources: Sequence[str | None]) -> Decisions:
        """Decisions for the texts of a reading, each from its source."""
        heads, taxonomy = self.heads, self.taxonomy
        head = heads.head(DOMAIN)
        assert head is not None
        scores = heads.scores(reading)
        given = probabilities(self.domain_scores(reading, scores, sources), exclusive=True)
        domain = given.argmax(axis=1)
        confidence = given[np.arange(len(given)), domain]
        needless = np.zeros(len(given), bool)
        if taxonomy.none_id in head.labels:
            needless = domain == head.labels.index(taxonomy.none_id or "")
        reached = self.urgency_reached(scores)
        secondary, secondary_confidence = _secondary(heads, scores, domain, head.labels)
        return self._with_urgency(
            Decisions(
                head.labels,
                domain,
                confidence,
                secondary & ~needless[:, None],
                secondary_confidence,
                *_tier(heads, scores),
                (None,) * len(given),
                reached,
                confidence < head.thresholds.get(REVIEW, 0.0),
                needless,
            )
        )

    def judge(self, reading: Reading) -> Judgement:
        """Domains, topics and tiers of texts that are known to hold a need."""
        heads, count = self.heads, reading.batch.n_texts
        scores = heads.scores(reading)
        head, tier = heads.head(DOMAIN), heads.head(TIER)
        assert head is not None
        kept = [n for n, label in enumerate(head.labels) if label != self.taxonomy.none_id]
        domains = probabilities(self.domain_scores(reading, scores, [None] * count)[:, kept], exclusive=True)
        topics = np.zeros((count, 0), np.float32)
        names: tuple[str, ...] = ()
        if self.topics is not None:
            columns = np.flatnonzero(np.isin(self.topics.owners, kept))
            topics = probabilities(self.topics.scores(reading.batch.dense)[:, columns], exclusive=True)
            names = tuple(self.topics.labels[column] for column in columns)
        return Judgement(
            tuple(head.labels[n] for n in kept),
            domains,
            names,
            topics,
            tier.labels if tier else (),
            tier.probabilities(scores) if tier else np.zeros((count, 0), np.float32),
        )

    def urgency_reached(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability (n_texts, n_urgencies) of each urgency or a more pressing one, from joint scores."""
        head = self.heads.head(URGENCY)
        if head is None:
            return np.zeros((len(scores), 0), np.float32)
        return at_least_this_pressing(head.probabilities(scores))

    def heed_sentences(
        self, decisions: Decisions, owners: NDArray[np.int64], reached: NDArray[np.float32]
    ) -> Decisions:
        """The decisions where one sentence alone may press: `reached` (n_sentences, n_urgencies) are the sentences'
        probabilities, `owners` their texts. One cry for help in a long complaint must not drown in it; a sentence
        that is itself in doubt (probability below a half) says nothing.
        """
        combined = decisions.reached.copy()
        np.maximum.at(combined, owners, 2 * reached - 1)
        return self._with_urgency(replace(decisions, reached=combined))

    def _with_urgency(self, decisions: Decisions) -> Decisions:
        head = self.heads.head(URGENCY)
        count = len(decisions.domain)
        if head is None:
            return replace(decisions, pressing=np.zeros(count, bool))
        chosen = most_pressing(head, decisions.reached)
        needless = np.zeros(count, bool)
        if self.taxonomy.none_id in decisions.domain_labels:
            needless = decisions.domain == decisions.domain_labels.index(self.taxonomy.none_id or "")
        return replace(
            decisions,
            urgency=tuple(head.labels[number] for number in chosen),
            pressing=needless & (chosen < len(head.labels) - 1),
        )


def _tier(
    heads: LinearHeads, scores: NDArray[np.float32]
) -> tuple[tuple[str | None, ...], NDArray[np.float32]]:
    head = heads.head(TIER)
    if head is None:
        return (None,) * len(scores), np.ones(len(scores), np.float32)
    given = head.probabilities(scores)
    return tuple(head.labels[number] for number in given.argmax(axis=1)), given.max(axis=1)


def choose(head: Head, given: NDArray[np.float32]) -> NDArray[np.int64]:
    """Label numbers (n) for an exclusive head's probabilities (n, n_labels).

    The likeliest label; of urgency, the most pressing label whose probability, with all above it, reaches its
    threshold.
    """
    if head.name != URGENCY:
        likeliest: NDArray[np.int64] = given.argmax(axis=1)
        return likeliest
    return most_pressing(head, at_least_this_pressing(given))


def most_pressing(head: Head, reached: NDArray[np.float32]) -> NDArray[np.int64]:
    """The most pressing label (n) whose probability, with all above it, reaches its threshold."""
    chosen = np.full(len(reached), len(head.labels) - 1)
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

"""A segment: resources with all that is read of them, built once and never changed.

A stock is a few segments, as in a log-structured index (O'Neil et al. 1996, "The log-structured merge-tree"):
a change builds a small new one and marks what it replaces, so that readers always see a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from matching.records import EVERYWHERE, Resource
from matching.rules import RuleBook
from matching.vectors import VectorIndex
from matching.words import WordIndex
from models.identifier import Identifier
from models.topics import SEPARATOR
from nlp.records import PreparedMessage

Mask = NDArray[np.bool_]
_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Traits:
    """What resources serve, by label: `domains`, `tiers` and `topics` (n_resources, n_labels) are marks.

    `topic_roots` (n_resources, n_topics) are square roots of the topics' probabilities in the resource's text;
    `local` (n_resources) marks those for named districts only.
    """

    domains: Mask
    tiers: Mask
    topics: Mask
    topic_roots: NDArray[np.float16]
    local: Mask

    @classmethod
    def join(cls, parts: Sequence[tuple[Traits, Mask]]) -> Traits:
        """The traits of the resources marked in each part's mask, in order."""
        columns = ("domains", "tiers", "topics", "topic_roots", "local")
        return cls(*(np.concatenate([getattr(one, name)[kept] for one, kept in parts]) for name in columns))


@dataclass(frozen=True, slots=True)
class Segment:
    """Resources in order, the place of each id, and what is read of them."""

    resources: tuple[Resource, ...]
    places: Mapping[str, int]
    book: RuleBook
    vectors: VectorIndex
    words: WordIndex
    traits: Traits

    @classmethod
    def build(cls, identifier: Identifier, resources: Sequence[Resource]) -> Segment:
        """Read resources with a model; their ids must be unique."""
        blocks = [resources[start : start + _BATCH] for start in range(0, len(resources), _BATCH)]
        parts = [_read(identifier, block) for block in blocks]
        return parts[0] if len(parts) == 1 else cls.join([(part, _all(part)) for part in parts])

    @classmethod
    def join(cls, parts: Sequence[tuple[Segment, Mask]]) -> Segment:
        """One segment of the resources marked in each part's mask, in order."""
        resources = tuple(one for part, kept in parts for one in compress(part.resources, kept.tolist()))
        return cls(
            resources,
            {resource.id: place for place, resource in enumerate(resources)},
            RuleBook.of(resources),
            VectorIndex.join([(part.vectors, kept) for part, kept in parts]),
            WordIndex.join([(part.words, kept) for part, kept in parts]),
            Traits.join([(part.traits, kept) for part, kept in parts]),
        )

    def __len__(self) -> int:
        return len(self.resources)


def _all(segment: Segment) -> Mask:
    return np.ones(len(segment), bool)


def _read(identifier: Identifier, resources: Sequence[Resource]) -> Segment:
    texts = [PreparedMessage(r.id, r.text, None, None, (), ()) for r in resources]
    batch = identifier.features(texts)
    judged = identifier.judge(batch)
    pairs = [[f"{d}{SEPARATOR}{t}" for d in r.domains for t in r.topics] for r in resources]
    traits = Traits(
        _serves([r.domains for r in resources], judged.domain_labels),
        _serves([r.tiers for r in resources], judged.tier_labels, always=True),
        _serves(pairs, judged.topic_labels),
        np.sqrt(judged.topics).astype(np.float16),
        np.asarray([EVERYWHERE not in r.districts for r in resources], bool),
    )
    return Segment(
        tuple(resources),
        {resource.id: place for place, resource in enumerate(resources)},
        RuleBook.of(resources),
        VectorIndex(batch.dense[:, : identifier.vector_width]),
        WordIndex.of(batch.occurrences, batch.n_texts),
        traits,
    )


def _serves(groups: Sequence[Sequence[str]], labels: Sequence[str], *, always: bool = False) -> Mask:
    """Which labels each resource serves (n_resources, n_labels); with `always`, one that names none serves all."""
    served = [[label in group or (always and not group) for label in labels] for group in map(set, groups)]
    return np.asarray(served, bool).reshape(len(groups), len(labels))

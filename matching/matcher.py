"""The matcher: needs in, ranked resources out, rules before scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from matching.catalogue import Catalogue
from matching.ranking import READINGS, Ranker, readings
from matching.records import EVERYWHERE, Fact, Match, Matching, Request, Resource
from matching.retrieval import Candidates, ResourceIndex
from matching.rules import RuleBook, open_questions, rule_counts
from models.decisions import Judgement
from models.identifier import Identifier
from models.records import Identification
from models.topics import SEPARATOR
from nlp.records import PreparedMessage


class Matcher:
    """Matches needs to the resources of one catalogue."""

    def __init__(self, identifier: Identifier, catalogue: Catalogue, ranker: Ranker | None = None) -> None:
        self.catalogue = catalogue
        self.version = f"{catalogue.version}-{identifier.version}"
        self._identifier = identifier
        self._ranker = ranker or Ranker.load()
        self._resources = catalogue.resources
        self._rules = RuleBook.of(self._resources)
        self._index = None
        if not self._resources:
            return
        texts = [PreparedMessage(r.id, r.text, None, None, (), ()) for r in self._resources]
        batch = identifier.features(texts)
        self._index = ResourceIndex(batch, identifier.vector_width, identifier.bucket_bits)
        judged = identifier.judge(batch)
        self._topic_roots = np.sqrt(judged.topics)
        resources = self._resources
        self._domains = _serves([r.domains for r in resources], judged.domain_labels)
        self._tiers = _serves([r.tiers for r in resources], judged.tier_labels, always=True)
        pairs = [[f"{d}{SEPARATOR}{t}" for d in r.domains for t in r.topics] for r in resources]
        self._topics = _serves(pairs, judged.topic_labels)
        self._local = np.asarray([EVERYWHERE not in r.districts for r in resources], bool)

    def match(self, requests: Sequence[Request], k: int = 5) -> list[Matching]:
        """At most `k` resources for each request, best first; none where nothing fits."""
        return [
            self._rank(request, candidates, self._ranker.probabilities(told), k)
            for request, (candidates, told) in zip(requests, self.read(requests), strict=True)
        ]

    def read(self, requests: Sequence[Request]) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """For each request the candidates its rules allow, by catalogue number, and their readings.

        Readings are (n_candidates, n_readings), as the ranker weighs them.
        """
        if not requests or self._index is None:
            return [(np.zeros(0, np.int64), np.zeros((0, len(READINGS)), np.float32))] * len(requests)
        texts = [
            PreparedMessage("", request.need.text, None, request.district, (), ()) for request in requests
        ]
        allowed = [self._rules.allowed(request.district, request.tier, request.facts) for request in requests]
        batch = self._identifier.features(texts)
        found = self._index.search(batch, allowed)
        judged = self._identifier.judge(batch)
        return [
            (candidates.numbers, self._readings(request, candidates, judged, row))
            for row, (request, candidates) in enumerate(zip(requests, found, strict=True))
        ]

    def _readings(
        self, request: Request, candidates: Candidates, judged: Judgement, row: int
    ) -> NDArray[np.float32]:
        numbers = candidates.numbers
        counts = [rule_counts(self._resources[n], request.district, request.facts) for n in numbers.tolist()]
        return readings(
            candidates.dense,
            candidates.lexical,
            self._domains[numbers] @ judged.domains[row],
            self._topics[numbers] @ judged.topics[row],
            self._topic_roots[numbers] @ np.sqrt(judged.topics[row]),
            self._tiers[numbers] @ judged.tiers[row],
            np.asarray(counts, np.int64).reshape(-1, 2),
            self._local[numbers],
        )

    def match_primary(
        self,
        identifications: Sequence[Identification],
        facts: Mapping[str, Mapping[str, Fact]] | None = None,
        k: int = 5,
    ) -> list[Matching]:
        """Matches for the primary need of each identification; nothing where there is no need."""
        wanted = [n for n, one in enumerate(identifications) if one.needs]
        requests = [
            Request(one, one.needs[0], one.prepared.district, (facts or {}).get(one.id, {}))
            for one in (identifications[n] for n in wanted)
        ]
        answers = [Matching((), self.version)] * len(identifications)
        for n, matching in zip(wanted, self.match(requests, k), strict=True):
            answers[n] = matching
        return answers

    def _rank(
        self, request: Request, numbers: NDArray[np.int64], scores: NDArray[np.float64], k: int
    ) -> Matching:
        ids = np.asarray([self._resources[number].id for number in numbers])
        order = np.lexsort((ids, -scores))[:k]
        matches = tuple(
            self._propose(request, self._resources[numbers[n]], float(scores[n]))
            for n in order
            if scores[n] >= self._ranker.fits_from
        )
        return Matching(matches, self.version)

    def _propose(self, request: Request, resource: Resource, score: float) -> Match:
        taxonomy = self._identifier.taxonomy
        reasons = []
        if request.need.domain in resource.domains:
            reasons.append(f"同属{taxonomy.name(request.need.domain)}领域")
        if request.need.tier in resource.tiers:
            reasons.append(f"面向{taxonomy.name(request.need.tier or '')}需求")
        reasons.append(
            "服务全市" if EVERYWHERE in resource.districts else f"服务{'、'.join(resource.districts)}"
        )
        if resource.capacity is not None:
            reasons.append(f"尚余名额{resource.capacity.left}")
        ask = open_questions(resource, request.district, request.facts)
        return Match(resource.id, resource.name, round(score, 4), tuple(reasons), ask)


def _serves(
    groups: Sequence[Sequence[str]], labels: Sequence[str], *, always: bool = False
) -> NDArray[np.float32]:
    """Which labels each resource serves (n_resources, n_labels); with `always`, one that names none serves all."""
    served = [[label in group or (always and not group) for label in labels] for group in map(set, groups)]
    return np.asarray(served, np.float32).reshape(len(groups), len(labels))

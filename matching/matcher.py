"""The matcher: needs in, ranked resources out, rules before scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.catalogue import Catalogue
from matching.records import EVERYWHERE, Fact, Match, Matching, Request, Resource
from matching.retrieval import Candidates, ResourceIndex
from matching.rules import RuleBook, open_questions
from models.identifier import Identifier
from models.records import Identification
from nlp.records import PreparedMessage


@dataclass(frozen=True, slots=True)
class RankingConfig:
    """How closeness becomes a score in 0–1 (logistic), and from which score a resource is offered.

    The first weights are set by hand; learned ones replace them once matched requests are labelled.
    """

    dense: float = 5.0
    lexical: float = 6.0
    domain: float = 3.0
    bias: float = -5.0
    fits_from: float = 0.35


class Matcher:
    """Matches needs to the resources of one catalogue."""

    def __init__(
        self, identifier: Identifier, catalogue: Catalogue, config: RankingConfig | None = None
    ) -> None:
        self.catalogue = catalogue
        self.version = f"{catalogue.version}-{identifier.version}"
        self._identifier = identifier
        self._config = config or RankingConfig()
        self._resources = catalogue.resources
        self._rules = RuleBook.of(self._resources)
        self._index = None
        if self._resources:
            texts = [PreparedMessage(r.id, r.text, None, None, (), ()) for r in self._resources]
            self._index = ResourceIndex(
                identifier.features(texts), identifier.vector_width, identifier.bucket_bits
            )
        domains = identifier.taxonomy.need_ids
        self._serves = np.asarray([[d in r.domains for d in domains] for r in self._resources], bool)
        self._domain_numbers = {domain: number for number, domain in enumerate(domains)}

    def match(self, requests: Sequence[Request], k: int = 5) -> list[Matching]:
        """At most `k` resources for each request, best first; none where nothing fits."""
        if not requests or self._index is None:
            return [Matching((), self.version)] * len(requests)
        texts = [
            PreparedMessage("", request.need.text, None, request.district, (), ()) for request in requests
        ]
        allowed = [
            self._rules.allowed(request.district, request.need.tier, request.facts) for request in requests
        ]
        found = self._index.search(self._identifier.features(texts), allowed)
        return [
            self._rank(request, candidates, k) for request, candidates in zip(requests, found, strict=True)
        ]

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

    def _rank(self, request: Request, candidates: Candidates, k: int) -> Matching:
        scores = self._scores(request, candidates)
        ids = np.asarray([self._resources[number].id for number in candidates.numbers])
        order = np.lexsort((ids, -scores))[:k]
        matches = tuple(
            self._propose(request, self._resources[candidates.numbers[n]], float(scores[n]))
            for n in order
            if scores[n] >= self._config.fits_from
        )
        return Matching(matches, self.version)

    def _scores(self, request: Request, candidates: Candidates) -> NDArray[np.float64]:
        config = self._config
        same = np.zeros(len(candidates.numbers))
        if request.need.domain in self._domain_numbers:
            serves = self._serves[candidates.numbers, self._domain_numbers[request.need.domain]]
            same = np.where(serves, request.need.confidence, 0.0)
        logit = config.bias + config.dense * candidates.dense + config.lexical * candidates.lexical
        scores: NDArray[np.float64] = 1 / (1 + np.exp(-(logit + config.domain * same)))
        return scores

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

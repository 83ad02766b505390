"""The matcher: needs in, ranked resources out, rules before scores; its stock may change while it answers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.catalogue import Catalogue, unknown_label
from matching.ranking import READINGS, Ranker, readings
from matching.records import EVERYWHERE, Fact, Match, Matching, Request, Resource
from matching.retrieval import Candidates, retrieve
from matching.rules import open_questions, rule_counts
from matching.segment import Segment
from matching.stock import Stock
from models.decisions import Judgement
from models.identifier import Identifier
from models.records import Identification
from nlp.records import PreparedMessage

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Considered:
    """The candidates a request's rules allow, and their readings (n_candidates, n_readings)."""

    resources: tuple[Resource, ...]
    readings: Floats


class Matcher:
    """Matches needs to the resources of one stock.

    Resources are put and removed while others match: every answer is of one whole stock, named by its version.
    """

    def __init__(self, identifier: Identifier, catalogue: Catalogue, ranker: Ranker | None = None) -> None:
        self._identifier = identifier
        self._ranker = ranker or Ranker.load()
        self._stock = Stock()
        self._changing = threading.Lock()
        self._folding = threading.Lock()
        self.put(catalogue.resources)

    @property
    def resources(self) -> Mapping[str, Resource]:
        """The resources on offer by id; what is handed out does not change any more."""
        return self._stock

    @property
    def version(self) -> str:
        """The versions of the resources on offer and of the model that reads them, always a pair."""
        return self._version(self._stock)

    def _version(self, stock: Stock) -> str:
        return f"{stock.version}-{self._identifier.version}"

    def put(self, resources: Sequence[Resource]) -> str:
        """Add resources, in place of those with the same ids; the next request sees all or none of them.

        Returns the new version. Raises ValueError for an id given twice or a label the taxonomy does not list.
        """
        ids = Counter(resource.id for resource in resources)
        if twice := [one for one, count in ids.items() if count > 1]:
            raise ValueError(f"resource {twice[0]!r} is given twice; ids are unique")
        for resource in resources:
            if problem := unknown_label(resource, self._identifier.taxonomy):
                raise ValueError(problem)
        if not resources:
            return self.version
        segment = Segment.build(self._identifier, resources)
        with self._changing:
            stock = self._stock = self._stock.added(segment)
        self._fold()
        return self._version(stock)

    def remove(self, ids: Sequence[str]) -> str:
        """Take resources away, those of `ids` that are there; returns the new version."""
        with self._changing:
            stock = self._stock = self._stock.without(list(dict.fromkeys(ids)))
        self._fold()
        return self._version(stock)

    def _fold(self) -> None:
        """Make one segment of several small ones, beside the answers and changes that go on."""
        if not self._folding.acquire(blocking=False):
            return
        try:
            while (first := (before := self._stock).worth_folding()) is not None:
                joined = Segment.join([(part.segment, part.alive) for part in before.parts[first:]])
                with self._changing:
                    self._stock = self._stock.folded(first, joined, before)
        finally:
            self._folding.release()

    def match(self, requests: Sequence[Request], k: int = 5) -> list[Matching]:
        """At most `k` resources for each request, best first; none where nothing fits."""
        return self._match(self._stock, requests, k)

    def _match(self, stock: Stock, requests: Sequence[Request], k: int) -> list[Matching]:
        version = self._version(stock)
        return [
            Matching(self._rank(request, considered, k), version)
            for request, considered in zip(requests, self._consider(stock, requests), strict=True)
        ]

    def read(self, requests: Sequence[Request]) -> list[Considered]:
        """For each request the candidates its rules allow and their readings, as the ranker weighs them."""
        return self._consider(self._stock, requests)

    def _consider(self, stock: Stock, requests: Sequence[Request]) -> list[Considered]:
        if not requests or not stock.parts:
            return [Considered((), np.zeros((0, len(READINGS)), np.float32))] * len(requests)
        texts = [
            PreparedMessage("", request.need.text, None, request.district, (), ()) for request in requests
        ]
        allowed = [
            [part.alive & part.segment.book.allowed(r.district, r.tier, r.facts) for r in requests]
            for part in stock.parts
        ]
        batch = self._identifier.features(texts)
        found = retrieve(batch, [part.segment for part in stock.parts], allowed)
        judged = self._identifier.judge(batch)
        return [
            _considered(request, candidates, judged, row)
            for row, (request, candidates) in enumerate(zip(requests, found, strict=True))
        ]

    def match_primary(
        self,
        identifications: Sequence[Identification],
        facts: Sequence[Mapping[str, Fact]] | None = None,
        k: int = 5,
    ) -> list[Matching]:
        """Matches for the primary need of each identification; nothing where there is no need.

        `facts` are what is known of each person, in the order of the identifications.
        """
        known = facts if facts is not None else [{}] * len(identifications)
        wanted = [(n, one) for n, one in enumerate(identifications) if one.needs]
        told = list(zip(identifications, known, strict=True))
        requests = [Request(one, one.needs[0], one.prepared.district, told[n][1]) for n, one in wanted]
        stock = self._stock
        matchings = self._match(stock, requests, k)
        answers = [Matching((), self._version(stock))] * len(identifications)
        for (n, _), matching in zip(wanted, matchings, strict=True):
            answers[n] = matching
        return answers

    def _rank(self, request: Request, considered: Considered, k: int) -> tuple[Match, ...]:
        scores = self._ranker.probabilities(considered.readings)
        ids = np.asarray([resource.id for resource in considered.resources])
        order = np.lexsort((ids, -scores))[:k]
        return tuple(
            self._propose(request, considered.resources[n], float(scores[n]))
            for n in order
            if scores[n] >= self._ranker.fits_from
        )

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


def _considered(request: Request, found: Sequence[Candidates], judged: Judgement, row: int) -> Considered:
    """The candidates of all segments together, with their readings."""
    resources = tuple(one.segment.resources[place] for one in found for place in one.places.tolist())
    counts = [rule_counts(resource, request.district, request.facts) for resource in resources]

    def traits(name: str) -> Floats:
        parts = [getattr(one.segment.traits, name)[one.places] for one in found]
        return np.concatenate(parts).astype(np.float32)

    told = readings(
        np.concatenate([one.dense for one in found]),
        np.concatenate([one.lexical for one in found]),
        traits("domains") @ judged.domains[row],
        traits("topics") @ judged.topics[row],
        traits("topic_roots") @ np.sqrt(judged.topics[row]),
        traits("tiers") @ judged.tiers[row],
        np.asarray(counts, np.int64).reshape(-1, 2),
        traits("local") > 0,
    )
    return Considered(resources, told)

"""Learning to rank: matched requests to the weights of a ranker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.matcher import Matcher
from matching.ranking import Ranker
from matching.records import Fact, Request
from models.identifier import Identifier
from nlp.extras import require
from nlp.records import Message

_ACCEPTABLE = 0.5  # how much an acceptable resource counts beside a best one


@dataclass(frozen=True, slots=True)
class MatchedRequest:
    """What a resident asked, where, and which resources meet it: `best` first choices, `acceptable` second ones."""

    id: str
    text: str
    district: str | None
    facts: Mapping[str, Fact]
    best: tuple[str, ...]
    acceptable: tuple[str, ...]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> MatchedRequest:
        """A request from a row of a matched-requests file."""
        return cls(
            str(row["id"]),
            str(row["text"]),
            row.get("district"),
            dict(row.get("facts") or {}),
            tuple(row.get("best") or ()),
            tuple(row.get("acceptable") or ()),
        )


def as_requests(identifier: Identifier, matched: Sequence[MatchedRequest]) -> list[Request]:
    """The requests as the matcher gets them; one whose message was taken for needless is asked for all the same."""
    messages = [Message(one.text, one.id, None, None, one.district) for one in matched]
    found = identifier.identify_needs(messages)
    return [
        Request(answer, answer.needs[0], one.district, one.facts)
        for one, answer in zip(matched, found, strict=True)
    ]


def learn_ranker(
    matcher: Matcher, identifier: Identifier, matched: Sequence[MatchedRequest], penalty: float = 1.0
) -> Ranker:
    """A ranker whose probabilities fit the matched requests, with the threshold of the best answers.

    The threshold maximises the share of requests answered rightly: a best resource first where one exists,
    nothing where none does. It is set on held-out fifths. Raises ValueError for fewer than ten requests.
    """
    if len(matched) < 10:
        raise ValueError(f"{len(matched)} matched requests; give ten at least")
    model = require("sklearn.linear_model", "train")
    told = matcher.read(as_requests(identifier, matched))
    labels = [
        np.asarray([_label(resource.id, one) for resource in considered.resources])
        for considered, one in zip(told, matched, strict=True)
    ]

    def fitted(rows: Sequence[int]) -> tuple[NDArray[np.float64], float]:
        inputs = np.concatenate([told[n].readings for n in rows])
        goals = np.concatenate([labels[n] for n in rows])
        weights = np.where(goals == _ACCEPTABLE, _ACCEPTABLE, 1.0)
        found = model.LogisticRegression(C=penalty, max_iter=2000).fit(
            inputs, goals > 0, sample_weight=weights
        )
        return found.coef_[0], float(found.intercept_[0])

    folds = np.arange(len(matched)) % 5
    tops: list[tuple[float, bool, bool]] = []
    for fold in range(5):
        weights, bias = fitted(np.flatnonzero(folds != fold).tolist())
        ranker = Ranker(tuple(weights.tolist()), bias, 0.0)
        for n in np.flatnonzero(folds == fold).tolist():
            scores = ranker.probabilities(told[n].readings)
            first = int(scores.argmax()) if len(scores) else -1
            right = first >= 0 and told[n].resources[first].id in matched[n].best
            tops.append((float(scores[first]) if first >= 0 else 0.0, right, not matched[n].best))
    weights, bias = fitted(range(len(matched)))
    return Ranker(tuple(weights.tolist()), bias, _threshold(tops))


def _label(resource_id: str, one: MatchedRequest) -> float:
    if resource_id in one.best:
        return 1.0
    return _ACCEPTABLE if resource_id in one.acceptable else 0.0


def _threshold(tops: Sequence[tuple[float, bool, bool]]) -> float:
    candidates = sorted({score for score, _, _ in tops})
    return max(
        candidates,
        key=lambda least: sum(right if score >= least else none for score, right, none in tops),
    )

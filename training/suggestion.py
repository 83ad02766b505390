"""What to label next: answered messages by uncertainty, domain need and diversity.

Uncertainty sampling (Lewis and Gale 1994), weighed by how few labels a domain has, chosen one after another with
what is like an earlier choice or an earlier label set back (maximal marginal relevance, Carbonell and Goldstein 1998).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from evaluation.ledger import Ledger
from evaluation.tables import Label, Prediction
from models.identifier import Identifier
from nlp.records import PreparedMessage

Floats = NDArray[np.float32]

_MOST_LABELLED = 2000
_FEWEST_LETTERS = 4
_LETTER = re.compile(r"[^\W\d_]")
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An answered message worth labelling, and why: parts of its score in 0–1, each higher for worthier.

    `need` is how much its domain lacks labels, `novelty` how unlike it is to what is labelled or chosen already.
    """

    prediction_id: str
    message_id: str
    text: str
    source: str | None
    district: str | None
    domain: str
    tier: str | None
    urgency: str | None
    confidence: float
    need: float
    novelty: float
    score: float


def suggest(ledger: Ledger, identifier: Identifier, n: int, window: int = 20_000) -> list[Suggestion]:
    """The `n` messages most worth labelling among the newest `window` answered ones without a label, best first."""
    unlabelled = _unlabelled(ledger, window)
    if not unlabelled:
        return []
    counts, labelled = _labelled(ledger)
    uncertainty = np.asarray([1 - row.confidence for row in unlabelled], np.float32)
    needs = _needs([row.domain for row in unlabelled], counts)
    vectors = _vectors(identifier, [row.text for row in unlabelled])
    known = _vectors(identifier, labelled)
    chosen, novelty, scores = _choose(uncertainty * needs, vectors, known, min(n, len(unlabelled)))
    return [
        Suggestion(
            row.id,
            row.message_id,
            row.text,
            row.source,
            row.district,
            row.domain,
            row.tier,
            row.urgency,
            round(row.confidence, 4),
            round(float(needs[number]), 4),
            round(new, 4),
            round(score, 4),
        )
        for number, new, score in zip(chosen, novelty, scores, strict=True)
        for row in (unlabelled[number],)
    ]


def _unlabelled(ledger: Ledger, window: int) -> list[Prediction]:
    labelled = select(Label.prediction_id).where(Label.prediction_id == Prediction.id).exists()
    query = select(Prediction).where(~labelled, Prediction.text != "")
    newest = query.order_by(Prediction.answered_at.desc(), Prediction.id).limit(window)
    with ledger.session() as session:
        return [row for row in session.scalars(newest) if len(_LETTER.findall(row.text)) >= _FEWEST_LETTERS]


def _labelled(ledger: Ledger) -> tuple[dict[str, int], list[str]]:
    """How many labels each domain has, and the newest labelled texts."""
    with ledger.engine.connect() as connection:
        counted = connection.execute(select(Label.domain, func.count()).group_by(Label.domain))
        counts = {domain: int(count) for domain, count in counted}
        newest = select(Label.text).order_by(Label.labelled_at.desc()).limit(_MOST_LABELLED)
        return counts, list(connection.execute(newest).scalars())


def _needs(domains: Sequence[str], counts: dict[str, int]) -> Floats:
    """How much each message's domain lacks labels: 1 for the poorest, falling with the root of the count."""
    lacks = {domain: 1 / np.sqrt(1 + counts.get(domain, 0)) for domain in set(domains)}
    most = max(lacks.values())
    return np.asarray([lacks[domain] / most for domain in domains], np.float32)


def _vectors(identifier: Identifier, texts: Sequence[str]) -> Floats:
    blocks = [np.zeros((0, identifier.vector_width), np.float32)]
    for start in range(0, len(texts), _BLOCK):
        block = texts[start : start + _BLOCK]
        prepared = [PreparedMessage("", text, None, None, (), ()) for text in block]
        blocks.append(identifier.features(prepared).dense[:, : identifier.vector_width])
    vectors = np.vstack(blocks)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = vectors / np.maximum(lengths, 1e-9)
    return unit


def _choose(
    worth: Floats, vectors: Floats, known: Floats, n: int
) -> tuple[list[int], list[float], list[float]]:
    """Numbers of the `n` best, with their novelty and score when they were chosen; n * n_messages * width steps."""
    nearest = np.zeros(len(vectors), np.float32)
    for start in range(0, len(known), _BLOCK):
        nearest = np.maximum(nearest, (vectors @ known[start : start + _BLOCK].T).max(axis=1))
    free = np.ones(len(vectors), bool)
    chosen: list[int] = []
    novelty: list[float] = []
    scores: list[float] = []
    for _ in range(n):
        new = np.clip(1 - nearest, 0, 1)
        score = np.where(free, worth * new, -1)
        best = int(score.argmax())
        chosen.append(best)
        novelty.append(float(new[best]))
        scores.append(float(score[best]))
        free[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen, novelty, scores

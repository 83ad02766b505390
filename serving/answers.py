"""Answers: identifications and matches in the shape the contracts promise."""

from __future__ import annotations

from typing import Any

from matching.records import Matching
from models.decisions import REVIEW_REASONS
from models.records import Explanation, Identification

CLASSIFY_COLUMNS = (
    "id", "domain", "confidence", "tier", "urgency", "review", "needs", "model", "taxonomy",
)  # fmt: skip
MATCH_COLUMNS = ("id", "no_fit", "matches")


def identification_row(one: Identification) -> dict[str, Any]:
    """One line of `classify` output."""
    return {
        "id": one.id,
        "domain": one.domain,
        "confidence": round(one.confidence, 4),
        "tier": one.tier,
        "urgency": one.urgency,
        "review": one.review,
        "needs": [
            {
                "domain": need.domain,
                "tier": need.tier,
                "confidence": round(need.confidence, 4),
                "text": need.text,
                "evidence": [evidence.word for evidence in need.evidence],
            }
            for need in one.needs
        ],
        "model": one.model,
        "taxonomy": one.taxonomy,
    }


def review_reasons(one: Identification) -> list[str]:
    """Why a person should look at this message, in words."""
    return [REVIEW_REASONS[reason] for reason in one.review_reasons]


def explanation_rows(explanations: tuple[Explanation, ...]) -> list[dict[str, Any]]:
    """The explanations of one message, weights rounded to four places."""
    return [
        {
            "decision": one.decision,
            "label": one.label,
            "score": round(one.score, 4),
            "base": round(one.base, 4),
            "words": [[word.word, round(word.weight, 4)] for word in one.words],
        }
        for one in explanations
    ]


def matching_row(message_id: str, matching: Matching) -> dict[str, Any]:
    """One line of `match` output."""
    return {
        "id": message_id,
        "no_fit": matching.no_fit,
        "matches": [
            {
                "resource_id": match.resource_id,
                "name": match.name,
                "score": match.score,
                "reasons": list(match.reasons),
                "ask": list(match.ask),
            }
            for match in matching.matches
        ],
    }

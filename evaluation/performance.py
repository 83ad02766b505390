"""How well a model does on labelled records: every decision with its intervals, calibration, review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from evaluation.metrics import classification_report, expected_calibration_error, reliability
from models.identifier import Identifier
from models.records import Identification
from nlp.records import LabelledMessage
from nlp.taxonomy import Taxonomy


def measure(identifier: Identifier, records: Sequence[LabelledMessage]) -> dict[str, Any]:
    """The figures of every decision of a model on `records`, as JSON."""
    answers = identifier.identify([record.message for record in records])
    return figures_of(records, answers, identifier.taxonomy) | {"model": identifier.version}


def figures_of(
    records: Sequence[LabelledMessage], answers: Sequence[Identification], taxonomy: Taxonomy
) -> dict[str, Any]:
    """The figures of these answers, as JSON: shares in 0–1, each with its 95% interval."""
    domain = classification_report(
        [record.domain for record in records], [answer.domain for answer in answers], taxonomy.domain_ids
    )
    right = [record.domain == answer.domain for record, answer in zip(records, answers, strict=True)]
    confidence = [answer.confidence for answer in answers]
    figures: dict[str, Any] = {
        "n": len(records),
        "domain": asdict(domain),
        "domain_calibration_error": asdict(expected_calibration_error(confidence, right)),
        "domain_reliability": [asdict(one) for one in reliability(confidence, right)],
        "review_rate": sum(answer.review for answer in answers) / len(answers),
    }
    for name, labels in (("tier", taxonomy.tier_ids), ("urgency", taxonomy.urgency_ids)):
        pairs = [
            (str(getattr(record, name)), str(getattr(answer, name) or "-"))
            for record, answer in zip(records, answers, strict=True)
            if getattr(record, name)
        ]
        if pairs:
            truth, given = zip(*pairs, strict=True)
            figures[name] = asdict(classification_report(truth, given, labels))
    return figures

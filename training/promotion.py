"""Promotion: champion and challenger on the frozen test set and on the newest feedback, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation.comparison import Comparison, Verdict, compare, judge, losses
from evaluation.labels import newest_labels
from evaluation.ledger import Ledger
from models.identifier import Identifier
from nlp.reading import MessageReader
from nlp.records import LabelledMessage
from nlp.taxonomy import Taxonomy
from training.trainer import text_key

FEWEST_FEEDBACK = 30
MOST_FEEDBACK = 5000
_FEEDBACK_ORIGINS = ("feedback", "review", "audit")


class PromotionError(ValueError):
    """Models that cannot be compared, with the remedy."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on a challenger, and the figures it rests on, by the set they were taken on."""

    verdict: Verdict
    champion: str
    challenger: str
    on_test: tuple[Comparison, ...]
    on_feedback: tuple[Comparison, ...]
    n_left_out: int

    def to_json(self) -> dict[str, Any]:
        """The decision as JSON."""
        return asdict(self)


def decide(
    champion: Path,
    challenger: Path,
    test: Sequence[LabelledMessage],
    feedback: Sequence[LabelledMessage],
    seen: frozenset[str],
    margin: float,
) -> Decision:
    """Whether the challenger may take the champion's place.

    Records whose text either model learned from (`seen` text keys) are left out. Raises PromotionError when nothing is
    left to compare on, or the models do not know the same labels.
    """
    first, second = Identifier.load(champion), Identifier.load(challenger)
    if set(first.taxonomy.domain_ids) != set(second.taxonomy.domain_ids):
        raise PromotionError(
            f"champion {first.version} and challenger {second.version} know different domains; register the "
            "challenger under another --name, or promote it with --force and a reason"
        )
    tested = [record for record in test if text_key(record) not in seen]
    told = [record for record in feedback if text_key(record) not in seen]
    if not tested:
        raise PromotionError(
            "no test record is left that neither model has seen; give a test set kept out of training"
        )
    on_test = _compared(first, second, tested)
    on_feedback = _compared(first, second, told) if len(told) >= FEWEST_FEEDBACK else []
    left_out = len(test) + len(feedback) - len(tested) - len(told)
    verdict = _verdict(on_test, on_feedback, margin)
    return Decision(verdict, first.version, second.version, tuple(on_test), tuple(on_feedback), left_out)


def _compared(first: Identifier, second: Identifier, records: Sequence[LabelledMessage]) -> list[Comparison]:
    messages = [record.message for record in records]
    return compare(records, first.identify(messages), second.identify(messages))


def _verdict(on_test: Sequence[Comparison], on_feedback: Sequence[Comparison], margin: float) -> Verdict:
    verdict = judge(on_test, margin)
    lost = losses(on_feedback, margin)
    if not lost:
        return verdict
    against = tuple(
        f"最近反馈 newest feedback: {row.name} 下降 {-row.difference.value:.3f} · worse (n={row.n})"
        for row in lost
    )
    return Verdict(False, against + (() if verdict.promote else verdict.reasons))


def newest_feedback(ledger: Ledger, taxonomy: Taxonomy) -> list[LabelledMessage]:
    """The newest labels people gave to answered messages, as records; labels the taxonomy does not know are passed over."""
    rows = [
        {name: cell for name, cell in row.items() if cell not in (None, [])}
        for row in newest_labels(ledger, origins=_FEEDBACK_ORIGINS)
    ][-MOST_FEEDBACK:]
    read = MessageReader(taxonomy).read_labelled(enumerate(rows, 1))
    return [record for _, record in read if isinstance(record, LabelledMessage)]


def seen_by(*reports: Path) -> frozenset[str]:
    """Text keys of what models learned from, from the reports that came with them."""
    keys: set[str] = set()
    for report in reports:
        path = report / "seen.txt"
        if path.is_file():
            keys.update(path.read_text("utf-8").split())
    return frozenset(keys)

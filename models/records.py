"""What the identifier answers."""

from __future__ import annotations

from dataclasses import dataclass

from nlp.records import PreparedMessage


@dataclass(frozen=True, slots=True)
class Evidence:
    """A word of the message and how much it spoke for the decision (log-odds; negative speaks against)."""

    word: str
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a decision fell as it did.

    `score` is the label's log-odds against the mean of the decision's labels; `words`, in the order of the text,
    carry their signed shares of it, `base` what no single word carries: score = base + sum of the shares.
    """

    decision: str
    label: str
    score: float
    base: float
    words: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """One need of a message.

    `confidence` is the calibrated probability in 0–1 that the message holds a need of this domain, `tier_confidence`
    that the tier is right; `text` is the masked stretch that tells it.
    """

    domain: str
    tier: str | None
    confidence: float
    text: str
    evidence: tuple[Evidence, ...]
    tier_confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Identification:
    """The needs of one message, the primary one first; none where the message asks for nothing.

    `confidence` is the calibrated probability in 0–1 that `domain` is right, and `review` asks for a person's
    look, for the `review_reasons` given by id (see `models.decisions.REVIEW_REASONS`). `pressing` is the
    probability in 0–1 of any urgency above the calmest, by which a queue can be ordered.
    """

    prepared: PreparedMessage
    domain: str
    confidence: float
    tier: str | None
    urgency: str | None
    review: bool
    needs: tuple[Need, ...]
    evidence: tuple[Evidence, ...]
    model: str
    taxonomy: str
    review_reasons: tuple[str, ...] = ()
    pressing: float = 0.0

    @property
    def id(self) -> str:
        """The message's id."""
        return self.prepared.id

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
class Need:
    """One need of a message.

    `confidence` is the calibrated probability in 0–1 that the message holds a need of this domain;
    `text` is the masked stretch that tells it.
    """

    domain: str
    tier: str | None
    confidence: float
    text: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Identification:
    """The needs of one message, the primary one first; none where the message asks for nothing.

    `confidence` is the calibrated probability in 0–1 that `domain` is right, `urgency_scores` follow the
    taxonomy's order of urgencies, and `review` asks for a person's look.
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

    @property
    def id(self) -> str:
        """The message's id."""
        return self.prepared.id

"""The records every floor passes around."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One message a resident sent, as received.

    `source` is a source id of the taxonomy, or None when the channel is not known.
    """

    text: str
    id: str = ""
    source: str | None = None
    title: str | None = None
    district: str | None = None
    received_at: datetime | None = None

    @property
    def full_text(self) -> str:
        """Title and text joined, the title left out where the text already opens with it."""
        title = (self.title or "").strip()
        if not title or self.text.startswith(title):
            return self.text
        return f"{title}。{self.text}"


@dataclass(frozen=True, slots=True)
class MaskedSpan:
    """Where personal data stood: `start` and `end` in the text before masking, never the data itself."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class MaskedText:
    """Text whose personal data was replaced by typed placeholders such as `<电话>`."""

    text: str
    spans: tuple[MaskedSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch `text == whole[start:end]` of a prepared text that holds one wish."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PreparedMessage:
    """A message after cleaning, masking and splitting; the only form that is stored or indexed."""

    id: str
    text: str
    source: str | None
    district: str | None
    spans: tuple[MaskedSpan, ...]
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class LabelledMessage:
    """A message with the labels an annotator gave it; absent fields are None.

    `topic` is one of its domain's topics; `hard` marks a message written or chosen to mislead, `natural` one of
    a lot whose shares are those of an ordinary day.
    """

    message: Message
    domain: str
    secondary: tuple[str, ...] = ()
    tier: str | None = None
    urgency: str | None = None
    topic: str | None = None
    hard: bool = False
    natural: bool = False

"""Preparing: a message as received to the only form that is stored: clean, masked, split."""

from __future__ import annotations

from collections.abc import Iterable

from nlp.cleaning import Cleaner, normalise_unicode
from nlp.masking import mask
from nlp.records import Message, PreparedMessage
from nlp.splitting import split_wishes
from nlp.taxonomy import Taxonomy


class Preparer:
    """Cleans, masks and splits messages by the profiles of one taxonomy."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._cleaner = Cleaner(taxonomy)

    def prepare(self, messages: Iterable[Message]) -> list[PreparedMessage]:
        """One prepared message per message, in order; an unanswered survey question gives an empty text."""
        return [self._prepare(message) for message in messages]

    def _prepare(self, message: Message) -> PreparedMessage:
        masked = mask(self._cleaner.clean(message.full_text, message.source))
        return PreparedMessage(
            id=normalise_unicode(message.id),
            text=masked.text,
            source=message.source,
            district=message.district,
            spans=masked.spans,
            segments=split_wishes(masked.text),
        )

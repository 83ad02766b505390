"""Splitting: a message that holds several wishes into segments, each a stretch of the message."""

from __future__ import annotations

import itertools
import re

from nlp.records import Segment

MAX_SEGMENTS = 32
_MIN_LENGTH = 6

_STARTS = (
    r"(?:第[一二三四五六七八九十]|[一二三四五六七八九十]是|[一二三四五六七八九十]{1,2}[、，.．]|[（(][一二三四五六七八九十\d]{1,2}[)）]"
    r"|\d{1,2}[、．.)）](?!\d)|[①-⑳]|首先|其次|再次|最后|另外|此外|还有|同时|再者|再有|再就是|顺便|以及希望|还想|还请|并且?希望|也希望|另[，,外])"
)
_MARKER = re.compile(rf"[。！？!?；;\n\s，,：:](?={_STARTS})")
_OPENS_WITH_MARKER = re.compile(_STARTS)
_SENTENCE_END = re.compile(r"[。！？!?；;\n]+[”’」』）)]*")


def split_wishes(text: str) -> tuple[Segment, ...]:
    """Segments of `text` in order; joined, they are the text again.

    A segment begins where the writer begins a new point (一、二、, 第二, 另外, 还有, 1.), or, in a message
    without such marks, at each sentence. Stretches too short to hold a wish stay with their neighbour.
    """
    if not text:
        return ()
    starts = [match.end() for match in _MARKER.finditer(text)]
    if _OPENS_WITH_MARKER.match(text):
        starts.append(0)
    if len(starts) < 2:
        starts += [match.end() for match in _SENTENCE_END.finditer(text)]
    cuts = [0]
    for start in sorted(set(starts)):
        if start - cuts[-1] >= _MIN_LENGTH and len(text) - start >= _MIN_LENGTH and len(cuts) < MAX_SEGMENTS:
            cuts.append(start)
    cuts.append(len(text))
    return tuple(Segment(text[start:end], start, end) for start, end in itertools.pairwise(cuts))

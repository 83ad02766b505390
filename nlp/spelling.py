"""Spelling: what speech recognition misheard and what the internet spells its own way, to the usual word."""

from __future__ import annotations

import re
from functools import lru_cache

from nlp.paths import dataset_path


@lru_cache(maxsize=1)
def _table() -> tuple[re.Pattern[str], dict[str, str]]:
    lines = dataset_path("spellings.tsv").read_text("utf-8").splitlines()[1:]
    meant = {written: usual for written, usual, _ in (line.split("\t") for line in lines)}
    longest_first = sorted(meant, key=len, reverse=True)
    words = (
        rf"(?<![A-Za-z0-9]){re.escape(w)}(?![A-Za-z0-9])" if w.isascii() else re.escape(w)
        for w in longest_first
    )
    return re.compile("|".join(words)), meant


def mend_spellings(text: str) -> str:
    """The text with every spelling of `datasets/spellings.tsv` replaced by the word that was meant."""
    pattern, meant = _table()
    return pattern.sub(lambda found: meant[found[0]], text)

"""Spelling: what speech recognition misheard and what the internet spells its own way, to the usual word."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import lru_cache

from nlp.paths import dataset_path

_HAS_LATIN = re.compile("[A-Za-z0-9]")


@lru_cache(maxsize=1)
def _table() -> tuple[re.Pattern[str], re.Pattern[str], dict[str, str]]:
    lines = dataset_path("spellings.tsv").read_text("utf-8").splitlines()[1:]
    meant = {written: usual for written, usual, _ in (line.split("\t") for line in lines)}
    latin = any_of(word for word in meant if word.isascii())
    others = any_of(word for word in meant if not word.isascii())
    firsts = "".join({re.escape(word[0]) for word in meant if not word.isascii()})
    return (
        re.compile(f"(?=[{firsts}]){others}"),
        re.compile(rf"(?<![A-Za-z0-9]){latin}(?![A-Za-z0-9])"),
        meant,
    )


def any_of(words: Iterable[str]) -> str:
    """A regular expression for the longest of `words` at a place, as a trie: one step a character, however many words."""
    trie: dict[str, dict[str, object]] = {}
    for word in words:
        node: dict[str, object] = trie  # type: ignore[assignment]
        for character in word:
            node = node.setdefault(character, {})  # type: ignore[assignment]
        node[""] = {}
    return _pattern(trie)


def _pattern(trie: dict[str, dict[str, object]]) -> str:
    ends = [character for character, below in trie.items() if character and set(below) == {""}]
    branches = {
        character: re.escape(character) + _pattern(below)  # type: ignore[arg-type]
        for character, below in trie.items()
        if character and set(below) != {""}
    }
    alternatives = _guarded(branches)
    if ends:
        alternatives.append(re.escape(ends[0]) if len(ends) == 1 else f"[{''.join(map(re.escape, ends))}]")
    whole = alternatives[0] if len(alternatives) == 1 and len(trie) == 1 else f"(?:{'|'.join(alternatives)})"
    return f"{whole}?" if "" in trie else whole


def _guarded(branches: dict[str, str]) -> list[str]:
    """Many branches as few, each behind one look at the next character: the engine tries branches one by one."""
    firsts = list(branches)
    size = math.isqrt(len(firsts))
    if size < 4:
        return list(branches.values())
    chunks = (firsts[start : start + size] for start in range(0, len(firsts), size))
    return [
        f"(?=[{''.join(map(re.escape, chunk))}])(?:{'|'.join(branches[first] for first in chunk)})"
        for chunk in chunks
    ]


def mend_spellings(text: str) -> str:
    """The text with every spelling of `datasets/spellings.tsv` replaced by the word that was meant."""
    others, latin, meant = _table()
    text = others.sub(lambda found: meant[found[0]], text)
    return latin.sub(lambda found: meant[found[0]], text) if _HAS_LATIN.search(text) else text

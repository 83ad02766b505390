"""Pairs of texts that mean the same, for tuning the encoder: given ones, titles with their bodies, halves of passages."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp.tables import RowError, read_rows
from training.corpus import TEXT_SUFFIXES, passages, runs

_SENTENCE = re.compile(r"(?<=[。！？!?；;\n])")
_CLAUSE = re.compile(r"(?<=[，,、 ])")
_SHORTEST = 4
_LONG = 30


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that belong together and, where known, one that only looks as if it did."""

    left: str
    right: str
    hard: str = ""


def pairs_of(paths: Sequence[Path], without: Sequence[Path] = (), seed: int = 7) -> list[list[Pair]]:
    """The pairs of each file, none that shares a run with a text in `without`.

    A table with `left` and `right` gives its rows (with `hard` where it stands), one with `title` and `text` titles
    and bodies, any other text the two halves of each passage, sentences drawn at random.
    """
    barred: set[int] = set()
    for path in without:
        for passage in passages(path):
            barred |= runs(passage)
    found = []
    for path in paths:
        chance = random.Random(f"{seed}{path.name}")
        read = _halves(path, chance) if path.name.endswith(TEXT_SUFFIXES) else _rows(path, chance)
        found.append([pair for pair in read if not (barred and runs(f"{pair.left}{pair.right}") & barred)])
    return found


def _rows(path: Path, chance: random.Random) -> Iterator[Pair]:
    for _, row in read_rows(path):
        if isinstance(row, RowError):
            continue
        if row.get("left") and row.get("right"):
            yield Pair(str(row["left"]), str(row["right"]), str(row.get("hard") or ""))
        elif row.get("title") and row.get("text"):
            title = str(row["title"])
            body = str(row["text"]).removeprefix(title)
            if len(body) >= _SHORTEST:
                yield Pair(title, body)
        elif row.get("text"):
            yield from _halved([str(row["text"])], chance)


def _halves(path: Path, chance: random.Random) -> Iterator[Pair]:
    return _halved((passage for passage in passages(path) if len(passage) >= _LONG), chance)


def _halved(texts: Iterable[str], chance: random.Random) -> Iterator[Pair]:
    for text in texts:
        for splitter in (_SENTENCE, _CLAUSE):
            parts = [part for part in splitter.split(text) if len(part) >= _SHORTEST]
            if len(parts) >= 2:
                chance.shuffle(parts)
                cut = chance.randint(1, len(parts) - 1)
                yield Pair("".join(parts[:cut]), "".join(parts[cut:]))
                break

"""The pretraining corpus: any folder of text as one file of words, a passage a line.

Plain text (`.txt`, `.txt.gz`) is read a passage a line; tables (JSONL, CSV, XLSX, Parquet) by their `title`
and `text` columns. Every passage is cleaned and masked first, so no personal data shapes a vector.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from itertools import islice, repeat
from pathlib import Path

from nlp.cleaning import Cleaner
from nlp.lexicon import load_lexicon
from nlp.masking import PLACEHOLDER, mask
from nlp.segmenter import Segmenter
from nlp.tables import SUFFIXES, RowError, read_rows
from nlp.taxonomy import Taxonomy

_RUN = 16
_BLOCK = 2000
TEXT_SUFFIXES = (".txt", ".txt.gz")
_SPLIT_INTO_CHARACTERS = 0.1


class CorpusError(ValueError):
    """Text that cannot be pretrained on, with the remedy."""


def corpus_files(paths: Iterable[Path]) -> list[Path]:
    """The text files of the given files and folders, a folder's in name order.

    A path given twice counts twice: that is how text of the deployment's own kind is given more weight.
    Raises CorpusError for a path that holds no text.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if _is_text(p)) if path.is_dir() else [path]
        inside = [p for p in inside if p.is_file() and _is_text(p)]
        if not inside:
            kinds = ", ".join((*TEXT_SUFFIXES, *SUFFIXES))
            raise CorpusError(f"{path}: no text there; give files or folders of {kinds}")
        found += inside
    return found


def _is_text(path: Path) -> bool:
    return path.name.endswith(TEXT_SUFFIXES) or path.suffix.lower() in SUFFIXES


def passages(path: Path) -> Iterator[str]:
    """The passages of one file; rows that cannot be read are left out."""
    if path.name.endswith(TEXT_SUFFIXES):
        opening = gzip.open if path.suffix == ".gz" else open
        with opening(path, "rt", encoding="utf-8", errors="replace") as lines:
            yield from (line.strip() for line in lines)
        return
    for _, row in read_rows(path):
        if not isinstance(row, RowError):
            parts = (row.get("title"), row.get("text"))
            yield "。".join(part for part in parts if isinstance(part, str) and part)


def weight_of(path: Path, weights: Sequence[tuple[str, float]]) -> float:
    """How often a file's passages are read: the weight of the last pattern its name fits, 1 where none does."""
    return next((weight for pattern, weight in reversed(weights) if fnmatch(path.name, pattern)), 1.0)


def weighed(texts: Iterable[str], weight: float) -> Iterator[str]:
    """Every passage as often as `weight` says; its fraction keeps that share of the passages, always the same ones."""
    whole, part = int(weight), weight % 1
    for text in texts:
        yield from repeat(text, whole)
        if part and zlib.crc32(text.encode("utf-8", "replace")) < part * 2**32:
            yield text


def runs(text: str) -> set[int]:
    """Hashes of every stretch of sixteen characters, blanks left out: what two copies of a text share.

    A shorter text counts as one stretch.
    """
    text = "".join(text.split())
    return {hash(text[start : start + _RUN]) for start in range(max(len(text) - _RUN + 1, 1))}


def write_corpus(
    files: Sequence[Path],
    target: Path,
    without: Sequence[Path] = (),
    weights: Sequence[tuple[str, float]] = (),
    seed: int = 7,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the words of every passage to `target`, blank-separated; returns the number of passages.

    A passage that shares sixteen characters in a row with a text in `without` is left out. `weights` are
    (file name pattern, weight) pairs: how often the passages of a file are written. One word in ten is written
    character by character, so that characters get vectors that speak for unknown words.
    `progress(done, of)` counts files.
    """
    barred: set[int] = set()
    for path in without:
        for passage in passages(path):
            barred |= runs(passage)
    written = 0
    staging = target.with_name(f"{target.name}.part")
    context = multiprocessing.get_context("spawn")
    with (
        staging.open("w", encoding="utf-8") as stream,
        context.Pool(workers, _start_worker, (seed,)) as pool,
    ):
        for number, path in enumerate(files):
            read = (one for one in passages(path) if len(one) > 3 and not (barred and runs(one) & barred))
            kept = weighed(read, weight_of(path, weights))
            for lines in pool.imap(_to_lines, _blocks(kept)):
                stream.writelines(lines)
                written += len(lines)
            if progress:
                progress(number + 1, len(files))
    if not written:
        raise CorpusError("no passage left to learn from; give more text")
    staging.rename(target)
    return written


def fingerprint(files: Sequence[Path], settings: object) -> str:
    """SHA-256 over the files' names, sizes and times and the settings: the same corpus, the same mark."""
    described = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([described, repr(settings)]).encode()).hexdigest()


def _blocks(texts: Iterator[str]) -> Iterator[list[str]]:
    while block := list(islice(texts, _BLOCK)):
        yield block


_worker: _LineMaker


def _start_worker(seed: int) -> None:
    global _worker
    _worker = _LineMaker(seed)


def _to_lines(block: list[str]) -> list[str]:
    return [line for text in block if (line := _worker.line(text))]


class _LineMaker:
    def __init__(self, seed: int) -> None:
        self._cleaner = Cleaner(Taxonomy.load())
        self._segmenter = Segmenter(entry.term for entry in load_lexicon())
        self._seed = seed

    def line(self, text: str) -> str:
        clean = PLACEHOLDER.sub("，", mask(self._cleaner.clean(text, None)).text).lower()
        words = [word for word in self._segmenter.cut(clean) if any(c.isalpha() for c in word)]
        chance = random.Random(f"{self._seed}{clean}")
        parts = (
            " ".join(word) if len(word) > 1 and chance.random() < _SPLIT_INTO_CHARACTERS else word
            for word in words
        )
        return " ".join(parts) + "\n" if len(words) > 2 else ""

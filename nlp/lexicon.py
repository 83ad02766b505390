"""The civic lexicon: words that carry knowledge no small corpus holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nlp.paths import dataset_path

COLUMNS = ("term", "domains", "topic", "weight", "kind")


class LexiconError(ValueError):
    """A lexicon line that cannot be used, with its number and the remedy."""


@dataclass(frozen=True, slots=True)
class LexiconEntry:
    """A term with the domains it speaks for; `weight` in (0, 1] says how surely."""

    term: str
    domains: tuple[str, ...]
    topic: str
    weight: float
    kind: str


def load_lexicon(path: Path | None = None) -> tuple[LexiconEntry, ...]:
    """Read a lexicon file (TSV with a header line), the shipped one by default.

    Raises LexiconError naming the line.
    """
    path = path or dataset_path("lexicon.tsv")
    return parse_lexicon(path.read_text("utf-8"), str(path))


def parse_lexicon(content: str, name: str = "lexicon") -> tuple[LexiconEntry, ...]:
    """Parse the content of a lexicon file; `name` is used in errors.

    Raises LexiconError naming the line.
    """
    header, *lines = content.splitlines() or [""]
    if tuple(header.split("\t")) != COLUMNS:
        raise LexiconError(f"{name}: line 1: the header is not {' '.join(COLUMNS)}; add it")
    return tuple(_parse(line, f"{name}: line {number}") for number, line in enumerate(lines, 2))


def _parse(line: str, place: str) -> LexiconEntry:
    try:
        term, domains, topic, weight, kind = line.split("\t")
        if not term or not 0 < float(weight) <= 1:
            raise ValueError
    except ValueError:
        raise LexiconError(
            f"{place}: not a term, domains, topic, weight in (0, 1] and kind; mend it"
        ) from None
    return LexiconEntry(term, tuple(d for d in domains.split(",") if d), topic, float(weight), kind)

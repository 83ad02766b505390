"""Behavioural tests: what a change of wording may and may not do to an answer.

After Ribeiro et al. 2020, "Beyond accuracy: behavioral testing of NLP models with CheckList": invariance,
direction, and minimum capability per topic. Each law is put to many messages and reports how often it fails.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import opencc
import yaml

from evaluation.metrics import Estimate, wilson
from models.identifier import Identifier
from models.records import Identification
from nlp.paths import dataset_path
from nlp.records import LabelledMessage, Message

Change = Callable[[str, random.Random], str]

_MARKS = str.maketrans(dict.fromkeys("，。！？；：、,.!?;:", " "))
_WIDE = {code: code + 0xFEE0 for code in range(0x30, 0x7B) if chr(code).isalnum()}
_CAPABLE = 0.5


@dataclass(frozen=True, slots=True)
class LawResult:
    """How often a law failed over `n` trials, with its 95% Wilson interval, and the ids of some failures."""

    law: str
    kind: str
    n: int
    failure_rate: Estimate
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Laws:
    """The laws with what they need: the wording file, the misheard words, and, where given, look-alike characters."""

    wording: Mapping[str, Sequence[Any]]
    misheard: Mapping[str, str]
    look_alikes: Mapping[str, Mapping[str, str]]

    @classmethod
    def load(cls, confusion: Path | None = None) -> Laws:
        """The shipped laws; `confusion` is a folder of tables (a character, a blank, its likes) by file name.

        Raises FileNotFoundError when the folder holds no such table.
        """
        wording = yaml.safe_load(dataset_path("laws.yaml").read_text("utf-8"))
        rows = [row.split("\t") for row in dataset_path("spellings.tsv").read_text("utf-8").splitlines()[1:]]
        misheard = {meant: written for written, meant, kind in rows if kind == "asr"}
        tables: dict[str, Mapping[str, str]] = {}
        if confusion is not None:
            for name in ("similar_sound", "similar_shape"):
                path = confusion / f"{name}.txt"
                if not path.exists():
                    raise FileNotFoundError(f"{confusion} holds no {name}.txt; give a folder that does")
                tables[name] = read_look_alikes(path)
        return cls(wording, misheard, tables)

    @cached_property
    def _traditional(self) -> opencc.OpenCC:
        return opencc.OpenCC("s2t")

    def invariances(self) -> Iterator[tuple[str, Change]]:
        """Changes of wording after which the answer must stay."""
        yield "politeness", lambda text, chance: _wrapped(text, chance.choice(self.wording["politeness"]))
        yield "persons", lambda text, chance: chance.choice(self.wording["persons"]) + text
        yield "places", lambda text, chance: chance.choice(self.wording["places"]) + text
        yield "punctuation", lambda text, _chance: text.translate(_MARKS)
        yield "full width", lambda text, _chance: text.translate(_WIDE)
        yield "traditional characters", lambda text, _chance: str(self._traditional.convert(text))
        yield "misheard words", lambda text, _chance: misheard_text(text, self.misheard)
        for name, table in self.look_alikes.items():
            yield f"{name.replace('_', ' ')}, one in twenty", partial(exchanged, table)

    def directions(self) -> Iterator[tuple[str, Sequence[str], int]]:
        """Additions to a message, and the number of the urgency it must then reach at least."""
        yield "danger raises urgency", self.wording["pressing"], 1
        yield "outage raises urgency", self.wording["stopped"], 1


def read_look_alikes(path: Path) -> dict[str, str]:
    """Characters and their likes from a table: a character, a blank, its likes."""
    found = {}
    for line in path.read_text("utf-8").splitlines():
        character, _, others = line.partition(" ")
        likes = "".join(others.split())
        if len(character) == 1 and likes:
            found[character] = likes
    return found


def exchanged(table: Mapping[str, str], text: str, chance: random.Random, share: float = 0.05) -> str:
    """The text with a share of its characters exchanged for look-alikes."""
    return "".join(chance.choice(table[c]) if c in table and chance.random() < share else c for c in text)


def misheard_text(text: str, misheard: Mapping[str, str]) -> str:
    """The text as speech recognition would mishear it."""
    for meant, written in misheard.items():
        text = text.replace(meant, written)
    return text


def _wrapped(text: str, around: Sequence[str]) -> str:
    return f"{around[0]}{text}{around[1]}"


def put_to_test(
    identifier: Identifier, records: Sequence[LabelledMessage], laws: Laws, seed: int = 7
) -> list[LawResult]:
    """Every law put to every record it touches; an answer is compared with the answer before the change."""
    messages = [record.message for record in records]
    before = identifier.identify(messages)
    chance = random.Random(seed)
    results = []
    for name, change in laws.invariances():
        texts = [change(message.text, chance) for message in messages]
        rows = [n for n, text in enumerate(texts) if text != messages[n].text]
        after = identifier.identify([replace(messages[n], text=texts[n]) for n in rows])
        failed = [n for n, one in zip(rows, after, strict=True) if one.domain != before[n].domain]
        results.append(_result(f"{name}: domain stays", "invariance", rows, failed, messages))
    calm = [n for n, one in enumerate(before) if _rank(identifier, one) == _calmest(identifier)]
    for name, additions, reached in laws.directions():
        texts = [f"{messages[n].text}。{chance.choice(list(additions))}" for n in calm]
        after = identifier.identify(
            [replace(messages[n], text=text) for n, text in zip(calm, texts, strict=True)]
        )
        failed = [n for n, one in zip(calm, after, strict=True) if _rank(identifier, one) > reached]
        results.append(_result(name, "direction", calm, failed, messages))
    return [*results, *_capabilities(records, before)]


def _calmest(identifier: Identifier) -> int:
    return len(identifier.taxonomy.urgency_ids) - 1


def _rank(identifier: Identifier, one: Identification) -> int:
    return identifier.taxonomy.urgency_ids.index(one.urgency) if one.urgency else 0


def _capabilities(
    records: Sequence[LabelledMessage], answers: Sequence[Identification]
) -> Iterator[LawResult]:
    topics: dict[str, list[int]] = {}
    for n, record in enumerate(records):
        if record.topic:
            topics.setdefault(f"{record.domain}/{record.topic}", []).append(n)
    messages = [record.message for record in records]
    wrong = {n for n, record in enumerate(records) if answers[n].domain != record.domain}
    for topic, rows in sorted(topics.items()):
        failed = [n for n in rows if n in wrong]
        yield _result(f"{topic}: domain found", "capability", rows, failed, messages)


def _result(
    law: str, kind: str, rows: Sequence[int], failed: Sequence[int], messages: Sequence[Message]
) -> LawResult:
    examples = tuple(messages[n].id for n in failed[:5])
    return LawResult(law, kind, len(rows), wilson(len(failed), len(rows)), examples)


def incapable(results: Sequence[LawResult]) -> list[LawResult]:
    """The topics more than half of whose messages were misjudged."""
    return [r for r in results if r.kind == "capability" and r.failure_rate.value > 1 - _CAPABLE]

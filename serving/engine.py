"""The engine: a model and the matcher that reads with it, always a pair, exchanged as one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.records import Resource
from models.identifier import Identifier
from models.records import Identification
from nlp.paths import dataset_path
from nlp.records import Message

GOLDEN = "golden.jsonl"
GOLDEN_SHARE = 0.9


class GoldenSetError(ValueError):
    """A model that does not answer the golden set as it must."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What answers: `reference` is how the model was called."""

    identifier: Identifier
    matcher: Matcher
    reference: str = "default"

    @classmethod
    def build(cls, reference: str | Path, resources: Iterable[Resource]) -> Engine:
        """An engine over a model and resources.

        Raises FileNotFoundError or ArtifactError for the model, ValueError for resources its taxonomy cannot read.
        """
        identifier = Identifier.load(reference)
        return cls(identifier, Matcher(identifier, Catalogue(tuple(resources))), str(reference))


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """How many of the golden messages were answered as expected."""

    right: int
    total: int


def read_golden(path: Path | None = None) -> list[dict[str, Any]]:
    """Messages with the domain any sound model finds in them; the shipped ones by default."""
    lines = (path or dataset_path(GOLDEN)).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def check_golden(engine: Engine, golden: Iterable[Mapping[str, Any]]) -> GoldenResult:
    """Put the golden messages to an engine, which warms it up too.

    Messages whose domain the engine's taxonomy does not list are asked but not judged. Raises GoldenSetError when
    fewer than nine in ten of the judged ones are right, or an answer is no answer.
    """
    known = engine.identifier.taxonomy
    asked = list(golden)
    sources = [row.get("source") if row.get("source") in known.source_ids else None for row in asked]
    messages = [Message(row["text"], row["id"], source) for row, source in zip(asked, sources, strict=True)]
    found = engine.identifier.identify(messages)
    engine.matcher.match_primary(found)
    judged = [(row, one) for row, one in zip(asked, found, strict=True) if row["domain"] in known.domain_ids]
    if broken := [one.id for one in found if not _is_answer(one)]:
        raise GoldenSetError(f"golden message {broken[0]}: the confidence is no probability; train again")
    right = sum(row["domain"] == one.domain for row, one in judged)
    if right < GOLDEN_SHARE * len(judged):
        raise GoldenSetError(
            f"{right} of {len(judged)} golden messages are right, {GOLDEN_SHARE:.0%} are needed; "
            "evaluate the model with `zhixu evaluate` before activating it"
        )
    return GoldenResult(right, len(judged))


def _is_answer(one: Identification) -> bool:
    return math.isfinite(one.confidence) and 0 <= one.confidence <= 1

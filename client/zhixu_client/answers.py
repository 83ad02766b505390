"""What the service answers; fields it may add later are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

Kind = TypeVar("Kind")


def pick(kind: type[Kind], row: Mapping[str, Any], **replaced: Any) -> Kind:
    """A record from the fields of an answer it knows."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in row.items() if name in known} | replaced)


@dataclass(frozen=True)
class Need:
    """One need; `confidence` in 0–1."""

    domain: str
    tier: str | None
    confidence: float
    text: str
    evidence: list[str]


@dataclass(frozen=True)
class Match:
    """A resource proposed; tell its outcome under `match_id`, ask the person what stands in `ask` first."""

    match_id: str
    resource_id: str
    name: str
    score: float
    reasons: list[str]
    ask: list[str]


@dataclass(frozen=True)
class Response:
    """How the need is to be answered, and within how many seconds."""

    handling: str
    strategy: str
    deadline_seconds: int
    calendar: str


@dataclass(frozen=True)
class Identification:
    """What was found in a message; `matches` is None where none were asked for."""

    id: str
    domain: str
    confidence: float
    tier: str | None
    urgency: str | None
    review: bool
    needs: list[Need]
    model: str
    taxonomy: str
    prediction_id: str
    response: Response | None
    no_fit: bool | None = None
    matches: list[Match] | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Identification:
        """The record of one answer."""
        matches = row.get("matches")
        return pick(
            cls,
            row,
            needs=[pick(Need, need) for need in row["needs"]],
            response=pick(Response, row["response"]) if row.get("response") else None,
            matches=None if matches is None else [pick(Match, match) for match in matches],
        )


@dataclass(frozen=True)
class Job:
    """A file being answered: `state` is queued, running, done, failed or cancelled."""

    id: str
    state: str
    n_rows: int | None
    n_done: int
    n_bad: int
    problem: str | None
    result: str | None

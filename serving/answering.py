"""Answering: messages through reading, matching and recording; an answer leaves once its record is durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from evaluation.ledger import Entries, Ledger, Origin, Recorded
from evaluation.receipts import NewReceipt, Settled, Submission, recall, record_once
from matching.records import Matching
from models.identifier import Identifier
from models.records import Identification
from nlp.records import Message
from serving.answers import identification_row, matching_row
from serving.batching import Batcher, FullError
from serving.engine import Engine
from serving.metrics import Metrics
from serving.problems import ProblemError, ledger_unavailable
from serving.swap import Swap

Answer = dict[str, Any]
Result = TypeVar("Result")

_WRITE_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class Question:
    """A message asked; `has_need` tells that it is known to ask for something.

    `receipts` are (key, fingerprint) pairs under which the answer is to be remembered.
    """

    message: Message
    match: bool = True
    has_need: bool = False
    facts: Mapping[str, bool | float | str] = field(default_factory=dict)
    resident: str | None = None
    receipts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for one question, not yet recorded."""

    identification: Identification
    matching: Matching | None
    response: dict[str, Any] | None
    recorded: Recorded
    submission: Submission


class Answering:
    """Answers questions with the engine of the moment.

    Two workers follow each other: one reads and matches, one records; requests that arrive together share both.
    """

    def __init__(
        self,
        swap: Swap,
        ledger: Ledger | None,
        metrics: Metrics,
        max_waiting: int,
        read_together: int,
    ) -> None:
        self._swap, self._ledger, self._metrics = swap, ledger, metrics
        self._reading: Batcher[Question, Found] = Batcher(
            self._read, read_together, max_waiting, metrics.observer("reading")
        )
        self._recording: Batcher[Submission, Settled] = Batcher(
            self._record, _WRITE_TOGETHER, max_waiting, metrics.observer("recording")
        )
        self._max_waiting = max_waiting
        metrics.waiting.labels("reading").set_function(lambda: len(self._reading))
        metrics.waiting.labels("recording").set_function(lambda: len(self._recording))

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being worked on."""
        return self._reading.idle and self._recording.idle

    async def answer(self, questions: Sequence[Question], *, bulk: bool = False) -> list[Answer]:
        """Answers in order; those of one call are recorded whole or not at all.

        Raises ProblemError: 429 when too much waits, 503 when the ledger cannot be written, 409 where a message id
        stands for another message.
        """
        found = await asyncio.gather(*self._put(self._reading, questions, bulk=bulk))
        settled = Settled()
        if self._ledger is not None:
            together = found[0].submission if len(found) == 1 else _joined(found)
            [settling] = self._put(self._recording, [together], bulk=bulk)
            settled = await settling
            if settled.reused:
                raise _reused()
        for one in found:
            if one.recorded.prediction_id not in settled.earlier:
                self._metrics.count(one.identification)
        if settled.earlier:
            return await asyncio.to_thread(self._recalled, found, settled.earlier)
        return [
            _answer(one.identification, one.matching, one.recorded.match_ids, one.recorded.prediction_id, one.response)
            for one in found
        ]  # fmt: skip

    def _put(
        self, batcher: Batcher[Any, Result], items: Sequence[Any], *, bulk: bool
    ) -> list[asyncio.Future[Result]]:
        try:
            return batcher.put(items, bulk=bulk)
        except FullError:
            self._metrics.refused.labels("too-busy").inc()
            raise ProblemError(
                429,
                "too-busy",
                "Too busy",
                f"排队已满（{self._max_waiting} 条），请稍后重试 · the queue is full; retry later, nothing was recorded",
                {"Retry-After": "1"},
            ) from None

    def _read(self, questions: list[Question]) -> list[Found]:
        """Identify and match a batch with one engine, by the one before while the new one is on trial and fails."""
        engine = self._swap.engine
        try:
            return self._read_with(engine, questions)
        except Exception:
            before = self._swap.fallback(engine)
            if before is None:
                raise
            found = self._read_with(before, questions)
            self._swap.give_up(engine)
            return found

    def _read_with(self, engine: Engine, questions: list[Question]) -> list[Found]:
        with self._timed("identify"):
            found = _identify(engine.identifier, questions)
        with self._timed("match"):
            matchings = _match(engine, questions, found)
        now = datetime.now(UTC)
        return [
            _compose(engine.identifier, question, one, matching, now)
            for question, one, matching in zip(questions, found, matchings, strict=True)
        ]

    def _record(self, submissions: list[Submission]) -> Sequence[Settled | Exception]:
        assert self._ledger is not None
        with self._timed("ledger"):
            try:
                return record_once(self._ledger, submissions)
            except SQLAlchemyError:  # no retry one by one: what ails the ledger ails them all
                return [ledger_unavailable()] * len(submissions)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._metrics.stages.labels(stage).observe(time.perf_counter() - start)

    def _recalled(self, found: Sequence[Found], earlier: Mapping[str, str]) -> list[Answer]:
        """The answers, those given before as they were given."""
        assert self._ledger is not None
        self._metrics.repeated.inc(len(earlier))
        held = recall(self._ledger, earlier.values())
        answers = []
        for one in found:
            key = earlier.get(one.recorded.prediction_id)
            if key is None:
                answers.append(
                    _answer(
                        one.identification,
                        one.matching,
                        one.recorded.match_ids,
                        one.recorded.prediction_id,
                        one.response,
                    )
                )
            elif key not in held:
                raise ProblemError(
                    410,
                    "record-deleted",
                    "Record deleted",
                    "此前的记录已按规定删除 · the earlier record was deleted; send the message as a new one",
                )
            else:
                then, response = held[key]
                answers.append(_answer(then.identification, then.matching, then.match_ids, key, response))
        return answers

    def close(self) -> None:
        """Let the workers end once their batches are done."""
        self._reading.close()
        self._recording.close()


def _identify(identifier: Identifier, questions: Sequence[Question]) -> list[Identification]:
    plain = [n for n, question in enumerate(questions) if not question.has_need]
    needy = [n for n, question in enumerate(questions) if question.has_need]
    found: dict[int, Identification] = {}
    for rows, identify in ((plain, identifier.identify), (needy, identifier.identify_needs)):
        if rows:
            found |= zip(rows, identify([questions[n].message for n in rows]), strict=True)
    return [found[n] for n in range(len(questions))]


def _match(
    engine: Engine, questions: Sequence[Question], found: Sequence[Identification]
) -> list[Matching | None]:
    matchings: list[Matching | None] = [None] * len(questions)
    rows = [n for n, question in enumerate(questions) if question.match]
    if rows:
        facts = [questions[n].facts for n in rows]
        matched = engine.matcher.match_primary([found[n] for n in rows], facts)
        for n, matching in zip(rows, matched, strict=True):
            matchings[n] = matching
    return matchings


def _compose(
    identifier: Identifier,
    question: Question,
    one: Identification,
    matching: Matching | None,
    now: datetime,
) -> Found:
    received_at = question.message.received_at
    response, due_at = _respond(identifier, one, received_at or now)
    entries = Entries()
    recorded = entries.add(one, matching, Origin(question.resident, received_at, due_at), now)
    receipts = tuple(
        NewReceipt(key, fingerprint, recorded.prediction_id, response)
        for key, fingerprint in question.receipts
    )
    return Found(one, matching, response, recorded, Submission(entries, receipts))


def _respond(
    identifier: Identifier, one: Identification, since: datetime
) -> tuple[dict[str, Any] | None, datetime | None]:
    """How the taxonomy wants the need answered, and until when."""
    found = identifier.taxonomy.respond(one.tier, one.urgency or "", one.prepared.text)
    if found is None:
        return None, None
    strategy, handling = found
    response = {
        "handling": handling.id,
        "strategy": strategy.strategy_zh,
        "deadline_seconds": int(handling.deadline.total_seconds()),
        "calendar": handling.calendar,
    }
    try:
        return response, handling.due(since)
    except OverflowError:  # received at the end of time
        return response, None


def _joined(found: Sequence[Found]) -> Submission:
    entries = Entries()
    for one in found:
        entries.extend(one.submission.entries)
    return Submission(entries, tuple(receipt for one in found for receipt in one.submission.receipts))


def _answer(
    one: Identification,
    matching: Matching | None,
    match_ids: Sequence[str],
    prediction_id: str,
    response: dict[str, Any] | None,
) -> Answer:
    answer = identification_row(one) | {"prediction_id": prediction_id, "response": response}
    if matching is not None:
        row = matching_row(one.id, matching)
        proposed = zip(row["matches"], match_ids, strict=True)
        answer |= {
            "no_fit": row["no_fit"],
            "matches": [{"match_id": match_id} | match for match, match_id in proposed],
        }
    return answer


def _reused() -> ProblemError:
    return ProblemError(
        409,
        "id-reused",
        "Id reused",
        "编号或 Idempotency-Key 已用于内容不同的请求，全部未记录 · an id or Idempotency-Key stands for another "
        "content; give a new one, nothing was recorded",
    )

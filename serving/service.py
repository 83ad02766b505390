"""The service: the collaborators that every route works with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from evaluation.ledger import Ledger
from evaluation.privacy import Pseudonyms
from serving.access import Gate
from serving.answering import Answer, Answering, Question
from serving.metrics import Metrics
from serving.problems import ProblemError
from serving.settings import Settings
from serving.swap import Swap

Result = TypeVar("Result")


@dataclass
class Service:
    """Settings, the engine and its exchange, the ledger, the gate and the metrics of one application."""

    settings: Settings
    swap: Swap
    ledger: Ledger | None
    gate: Gate
    metrics: Metrics
    answering: Answering
    draining: bool = False
    _writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "write"))

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """The keyed hashes; the secret is read, or made, when it is first needed."""
        return Pseudonyms.load(self.settings.secret)

    @property
    def books(self) -> Ledger:
        """The ledger. Raises ProblemError where the service runs without one."""
        if self.ledger is None:
            raise ProblemError(
                501,
                "no-ledger",
                "No ledger",
                "本服务未设记录库 · this service runs without a ledger; set ZHIXU_LEDGER",
            )
        return self.ledger

    async def answer(self, questions: Sequence[Question], *, bulk: bool = False) -> list[Answer]:
        """Answers in order, within the time allowed. Raises ProblemError as `Answering.answer` does."""
        try:
            async with asyncio.timeout(self.settings.timeout_seconds * (10 if bulk else 1)):
                return await self.answering.answer(questions, bulk=bulk)
        except TimeoutError:
            raise ProblemError(
                503,
                "too-slow",
                "Too slow",
                "未能按时答复，请带同一编号或 Idempotency-Key 重试 · no answer in time; retry with the same id or "
                "Idempotency-Key",
                {"Retry-After": "5"},
            ) from None

    async def write(self, change: Callable[[], Result]) -> Result:
        """Run a change of the ledger in the one thread that writes, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, change)

    def close(self) -> None:
        """Let the threads end once their work is done."""
        self.answering.close()
        self._writer.shutdown(wait=True)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(_service)]

"""Jobs: files answered in the background, one after the other, behind what is asked live.

A job that was cut goes on where its answers end; rows answered but not yet written are not counted again, for each
has a receipt in the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from evaluation.jobs import DONE, FAILED, RUNNING, change_job, find_job, waiting_jobs
from evaluation.ledger import Ledger
from evaluation.service_tables import Job
from nlp.reading import MessageReader
from nlp.records import Message
from nlp.tables import RowError, TableError, count_rows, read_rows
from serving.answering import Answer, Question
from serving.job_files import JobFiles
from serving.problems import ProblemError
from serving.service import Service

_LOG = logging.getLogger("zhixu.jobs")
_CHUNK = 64
_LOOK_SECONDS = 30.0
_PATIENCE_SECONDS = 1.0

Chunk = tuple[list[tuple[int, Message]], list[RowError]]


class JobRunner:
    """Works off the jobs whose files lie in this service's folder."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.files = JobFiles(service.settings.jobs)
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with what an earlier run left first."""
        self.files.make()
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Tell that there is a new job, or one less."""
        self._news.set()

    async def stop(self) -> None:
        """Stop after the chunk being answered; open jobs go on at the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        ledger = self._service.books
        while True:
            self._news.clear()
            try:
                waiting = await asyncio.to_thread(waiting_jobs, ledger)
                self._service.metrics.jobs.set(len(waiting))
                await asyncio.to_thread(self.files.sweep, self._service.settings.job_days, waiting)
                for job_id in waiting:
                    await self._try(ledger, job_id)
            except (SQLAlchemyError, OSError) as error:
                _LOG.warning("jobs wait", extra={"facts": {"error": type(error).__name__}})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _LOOK_SECONDS)

    async def _try(self, ledger: Ledger, job_id: str) -> None:
        job = await asyncio.to_thread(find_job, ledger, job_id)
        if job is None:
            return
        path = self.files.incoming(job_id, job.suffix)
        with self.files.claim(path) as ours:
            if not ours:
                return
            try:
                await self._work(ledger, job, path)
            except TableError as error:
                problem = str(error).replace(str(path), "file")
                await self._change(ledger, job_id, state=FAILED, problem=problem)
            except Exception as error:
                _LOG.warning("job failed", extra={"facts": {"job": job_id, "error": type(error).__name__}})
                if isinstance(error, SQLAlchemyError | OSError):
                    raise
                await self._change(
                    ledger, job_id, state=FAILED, problem="内部错误 · an error nobody expected"
                )
        self.files.forget_input(job_id)

    async def _work(self, ledger: Ledger, job: Job, path: Path) -> None:
        n_done, n_bad = await asyncio.to_thread(self.files.begin, job.id), 0
        n_rows = await asyncio.to_thread(count_rows, path)
        if not await self._change(ledger, job.id, state=RUNNING, n_rows=n_rows, n_done=n_done):
            return
        chunks = self._chunks(path, skip=n_done)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            messages, bad = chunk
            answers = await self._answer(job, messages) if messages else []
            await asyncio.to_thread(self.files.append, job.id, answers, bad)
            n_done, n_bad = n_done + len(answers), n_bad + len(bad)
            if not await self._change(ledger, job.id, n_done=n_done, n_bad=n_bad):
                self.files.forget_results(job.id)  # it was cancelled
                return
        await self._change(ledger, job.id, state=DONE, n_rows=n_done + n_bad)

    def _chunks(self, path: Path, skip: int) -> Iterator[Chunk]:
        rows = MessageReader(self._service.swap.engine.identifier.taxonomy).read(read_rows(path))
        while block := list(islice(rows, _CHUNK)):
            messages = [(line, row) for line, row in block if isinstance(row, Message)]
            fresh = messages[min(skip, len(messages)) :]
            skip -= len(messages) - len(fresh)
            yield fresh, [row for _, row in block if isinstance(row, RowError)]

    async def _answer(self, job: Job, messages: list[tuple[int, Message]]) -> list[Answer]:
        hashed = self._service.pseudonyms.of
        questions = [
            Question(
                message,
                match=job.match,
                receipts=((hashed("job", job.id, str(line)), hashed("content", message.full_text)),),
            )
            for line, message in messages
        ]
        while True:
            try:
                return await self._service.answer(questions, bulk=True)
            except ProblemError as error:
                if error.status_code not in (429, 503):
                    raise
            await asyncio.sleep(_PATIENCE_SECONDS)

    async def _change(self, ledger: Ledger, job_id: str, **values: object) -> bool:
        return await self._service.write(lambda: change_job(ledger, job_id, **values))

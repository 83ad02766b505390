"""Batching: requests that arrive together are worked on together, off the event loop.

A batch starts as soon as its worker is free, with whatever has arrived by then, so nobody waits for company;
while one batch is being worked on the next one gathers. What is urgent goes before what is bulk.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_Waiting = tuple[Item, "asyncio.Future[Result]", float]


class FullError(Exception):
    """More waits than is allowed; nothing of what was offered was taken."""


class Batcher(Generic[Item, Result]):
    """Gathers items for a function over batches, which runs in a thread of its own.

    `process` gives one result, or the error, for each item in order. When it raises, each item is tried by itself, so that one bad
    item fails alone. `observe` is told each batch's size and how many seconds its first item had waited.
    """

    def __init__(
        self,
        process: Callable[[list[Item]], Sequence[Result | Exception]],
        max_items: int,
        max_waiting: int,
        observe: Callable[[int, float], None] = lambda _size, _seconds: None,
    ) -> None:
        self._process, self._observe = process, observe
        self._max_items, self._max_waiting = max_items, max_waiting
        self._urgent: deque[_Waiting[Item, Result]] = deque()
        self._bulk: deque[_Waiting[Item, Result]] = deque()
        self._worker = ThreadPoolExecutor(1, "batch")
        self._busy = False

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._urgent) + len(self._bulk)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being worked on."""
        return not self._busy and not len(self)

    def put(self, items: Sequence[Item], *, bulk: bool = False) -> list[asyncio.Future[Result]]:
        """Take items in; their results come in order. Raises FullError when they do not all find room."""
        if len(self) + len(items) > self._max_waiting:
            raise FullError
        loop, now = asyncio.get_running_loop(), time.perf_counter()
        futures: list[asyncio.Future[Result]] = [loop.create_future() for _ in items]
        queue = self._bulk if bulk else self._urgent
        queue.extend((item, future, now) for item, future in zip(items, futures, strict=True))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._start, loop)
        return futures

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        batch: list[_Waiting[Item, Result]] = []
        for queue in (self._urgent, self._bulk):
            while queue and len(batch) < self._max_items:
                waiting = queue.popleft()
                if not waiting[1].done():
                    batch.append(waiting)
        if batch:
            self._observe(len(batch), time.perf_counter() - batch[0][2])
            self._worker.submit(self._work, loop, batch)
        else:
            self._busy = False

    def _work(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting[Item, Result]]) -> None:
        results: list[Result | Exception] = []
        try:
            results += self._process([item for item, _, _ in batch])
        except Exception as error:
            results = [error] if len(batch) == 1 else [self._alone(item) for item, _, _ in batch]
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._deliver, loop, batch, results)

    def _alone(self, item: Item) -> Result | Exception:
        try:
            return self._process([item])[0]
        except Exception as error:
            return error

    def _deliver(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[_Waiting[Item, Result]],
        results: list[Result | Exception],
    ) -> None:
        for (_, future, _), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        loop.call_soon(self._start, loop)

    def close(self) -> None:
        """Let the thread end once its last batch is done."""
        self._worker.shutdown(wait=True)

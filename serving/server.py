"""The server: uvicorn, with a way to stop that cuts nobody off."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from serving.settings import Settings

_LAST_SECONDS = 0.2  # for requests already under way on connections that were kept open


class Server(uvicorn.Server):
    """Stops in steps on SIGTERM or SIGINT: readiness off, drain, close, exit; a second signal exits at once.

    While it drains it still answers, and asks each caller to close the connection, so that those who watch
    `/readyz` and those who keep connections open both go elsewhere.
    """

    def __init__(self, app: FastAPI, settings: Settings, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=2048,
                timeout_graceful_shutdown=int(settings.shutdown_seconds),
            )
        )
        self._app, self._drain_seconds = app, settings.drain_seconds
        self._draining: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals on the event loop, so that draining can be waited for."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Begin to drain; on a second signal stop at once."""
        if self._draining is not None:
            self.force_exit = self.should_exit = True
            return
        self._app.state.draining = self._app.state.service.draining = True
        self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        await asyncio.sleep(self._drain_seconds)
        for server in self.servers:
            server.close()
        await asyncio.sleep(_LAST_SECONDS)
        self.should_exit = True

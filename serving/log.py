"""The log: one JSON line a request with its id, and never a word of what was sent.

This is the outermost layer: an error nothing else answered becomes a 500 problem here, and of its traceback only
the places are logged, for an error's message may quote what it failed on.
"""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
import uuid
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.metrics import Metrics
from serving.problems import ProblemError

ACCESS = logging.getLogger("zhixu.access")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """Gives each request an id, measures it, logs it, and answers errors nobody expected."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                if getattr(scope["app"].state, "draining", False):
                    headers["Connection"] = "close"
            await send(message)

        error: Exception | None = None
        try:
            await self._app(scope, receive, answer)
        except Exception as raised:
            error = raised
            if status == 0:
                await _unexpected().response()(scope, receive, answer)
        seconds = time.perf_counter() - started
        route = getattr(scope.get("route"), "path", "unknown")
        self._metrics.seconds.labels(route, str(status)).observe(seconds)
        if error is not None:
            ACCESS.error(
                "error", extra={"facts": {"request_id": request_id, "route": route} | _places(error)}
            )
        if ACCESS.isEnabledFor(logging.INFO):
            facts = {
                "request_id": request_id,
                "method": scope["method"],
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 2),
            }
            ACCESS.info("request", extra={"facts": facts})


def _unexpected() -> ProblemError:
    return ProblemError(
        500,
        "unexpected",
        "Unexpected error",
        "服务内部出错，未记录；请附 X-Request-ID 报告 · an error nobody expected; report it with its X-Request-ID",
    )


def _places(error: Exception) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    return {
        "error": type(error).__name__,
        "places": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON: time, level, event and its facts.

    Of other libraries' records only the unfilled message is told, and of errors only their kind.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        facts = getattr(record, "facts", None)
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.msg if isinstance(record.msg, str) else type(record.msg).__name__,
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line | (facts or {}), ensure_ascii=False, separators=(",", ":"))


def log_as_json(level: str = "INFO") -> None:
    """Send every log record to standard error as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("zhixu").setLevel(level)

"""Limits: a body that is too large or too slow is refused while it arrives, whether or not it states its length."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import ProblemError
from serving.settings import Settings

UPLOADS = "/v1/jobs"


class BodyLimits:
    """Refuses bodies over `max_body` bytes, uploads over `max_upload`, and bodies that stall."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._settings.max_upload if scope["path"] == UPLOADS else self._settings.max_body
        stated = Headers(scope=scope).get("content-length", "0")
        if not (stated.isascii() and stated.isdigit() and len(stated) < 20) or int(stated) > most:
            await _too_large(most).response()(scope, receive, send)
            return
        left, over = most, False

        async def counted() -> Message:
            nonlocal left, over
            if over:
                return await receive()
            try:
                async with asyncio.timeout(self._settings.timeout_seconds):
                    message = await receive()
            except TimeoutError:
                over = True
                raise _too_slow() from None
            left -= len(message.get("body", b""))
            over = not message.get("more_body", False)
            if left < 0:
                over = True
                raise _too_large(most)
            return message

        await self._app(scope, counted, send)


def _too_large(most: int) -> ProblemError:
    return ProblemError(
        413,
        "body-too-large",
        "Body too large",
        f"正文至多 {most} 字节，请拆分或用 /v1/jobs 上传文件 · {most} bytes at most; split it, or post the file to /v1/jobs",
        {"Connection": "close"},
    )


def _too_slow() -> ProblemError:
    return ProblemError(
        408, "body-too-slow", "Body too slow", "正文传输中断 · the body stopped arriving; send it again",
        {"Connection": "close"},
    )  # fmt: skip

"""Problems: every error as RFC 9457 problem details that say what to do and never repeat what was sent."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

PROBLEM = "application/problem+json"
_TYPES = "https://zhixu.example/problems/"
_HTTP = {
    404: ("not-found", "没有这个地址 · no such address; see /docs"),
    405: ("method-not-allowed", "此地址不支持该方法 · the address does not take this method; see /docs"),
}


class Problem(BaseModel):
    """An error (RFC 9457): a stable `type`, and in `detail` what is wrong and what to do."""

    type: str
    title: str
    status: int
    detail: str


class ProblemError(HTTPException):
    """An error answered as problem details; `kind` ends its type's address."""

    def __init__(
        self, status: int, kind: str, title: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.kind, self.title = kind, title

    def response(self) -> JSONResponse:
        """The response body."""
        content = {
            "type": _TYPES + self.kind,
            "title": self.title,
            "status": self.status_code,
            "detail": self.detail,
        }
        return JSONResponse(content, self.status_code, headers=self.headers, media_type=PROBLEM)


def ledger_unavailable() -> ProblemError:
    """The problem of a ledger that cannot be read or written now."""
    return ProblemError(
        503,
        "ledger-unavailable",
        "Ledger unavailable",
        "记录库暂不可用，请稍后重试；未记下的不算已答复 · the ledger cannot be reached; nothing was recorded, retry later",
        {"Retry-After": "5"},
    )


def not_found(what: str, remedy: str) -> ProblemError:
    """The problem of something the service does not hold."""
    return ProblemError(404, "not-found", "Not found", f"没有此{what}，{remedy}")


def add_problems(app: FastAPI) -> None:
    """Answer every error as problem details."""

    async def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(error, ProblemError):
            return error.response()
        if error.status_code == 400:  # FastAPI's word for a body it cannot decode
            detail = "body: 不是 UTF-8 编码的 JSON · not JSON in UTF-8; send one JSON object in UTF-8"
            return ProblemError(422, "invalid-request", "Invalid request", detail).response()
        kind, detail = _HTTP.get(
            error.status_code, ("http", "请求无法处理 · the request cannot be handled; see /docs")
        )
        headers = dict(error.headers or {})
        return ProblemError(error.status_code, kind, _title(kind), detail, headers).response()

    async def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return ProblemError(422, "invalid-request", "Invalid request", _first(error.errors())).response()

    async def ledger(_request: Request, _error: Exception) -> Response:
        return ledger_unavailable().response()

    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(SQLAlchemyError, ledger)


def _title(kind: str) -> str:
    return kind.replace("-", " ").capitalize()


def _first(errors: Any) -> str:
    """The first thing wrong, by place and rule; names the sender made up are not repeated."""
    first = errors[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        place[-1] = "…"
        return f"{'.'.join(place)}: 有未知字段 · an unknown field; see /docs for the fields"
    if first["type"] == "json_invalid":
        return "body: 不是合法的 JSON · not JSON; send one JSON object in UTF-8"
    return f"{'.'.join(place[:8])}: {first['msg']}"

"""The HTTP API."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware

from evaluation.ledger import Ledger, Origin
from matching.matcher import Matcher
from models.identifier import Identifier
from nlp.records import Message
from serving.answers import identification_row, matching_row
from serving.settings import Settings

PROBLEM = "application/problem+json"


class MessageBody(BaseModel):
    """One message as a platform sends it."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(default="", max_length=200, description="平台自己的编号 · the platform's own id")
    text: str = Field(default="", description="正文 · the message")
    title: str | None = Field(default=None, max_length=500)
    source: str | None = Field(default=None, description="来源 · one of the twelve sources")
    district: str | None = Field(default=None, max_length=100)
    received_at: datetime | None = None
    facts: dict[str, bool | float | str] = Field(
        default_factory=dict, description="已知的申请条件 · facts for eligibility, such as age"
    )


class BatchBody(BaseModel):
    """Several messages."""

    model_config = ConfigDict(extra="forbid")

    messages: list[MessageBody] = Field(min_length=1)


_EXAMPLE = {
    "id": "42",
    "source": "hotline",
    "district": "南桥区",
    "text": "我家老人八十多了一个人住 停水两天了没人管",
}


class ProblemError(Exception):
    """An error answered as RFC 9457 problem details."""

    def __init__(self, status: int, kind: str, title: str, detail: str) -> None:
        super().__init__(title)
        self.status, self.kind, self.title, self.detail = status, kind, title, detail

    def response(self) -> JSONResponse:
        """The response body."""
        content = {
            "type": f"https://zhixu.example/problems/{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        return JSONResponse(content, self.status, media_type=PROBLEM)


class _Measures:
    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "zhixu_request_seconds", "Time to answer", ["route", "status"], registry=self.registry
        )
        self.predictions = Counter(
            "zhixu_predictions_total",
            "Answered messages",
            ["domain", "tier", "source"],
            registry=self.registry,
        )
        self.reviews = Counter("zhixu_reviews_total", "Messages sent to a person", registry=self.registry)
        info = Gauge("zhixu_model_info", "The model that answers", ["version"], registry=self.registry)
        info.labels(model).set(1)


@dataclass(frozen=True)
class Service:
    """What answers requests: the identifier, the matcher and the ledger."""

    settings: Settings
    identifier: Identifier
    matcher: Matcher
    ledger: Ledger
    measures: _Measures

    def answer(
        self, bodies: list[MessageBody], *, match: bool, requests: bool = False
    ) -> list[dict[str, Any]]:
        """Answers in order, durable in the ledger before they are returned; `requests` are known to hold a need."""
        messages = [self._message(body, number) for number, body in enumerate(bodies)]
        identify = self.identifier.identify_needs if requests else self.identifier.identify
        found = identify(messages)
        matchings = None
        if match:
            matchings = self.matcher.match_primary(found, [body.facts for body in bodies])
        try:
            origins = [Origin(received_at=body.received_at) for body in bodies]
            recorded = self.ledger.record(found, matchings, origins)
        except SQLAlchemyError:
            raise ProblemError(
                503,
                "ledger-unavailable",
                "Ledger unavailable",
                "记录库暂不可用，请稍后重试 · the ledger cannot be written; retry later",
            ) from None
        answers = []
        for number, one in enumerate(found):
            self.measures.predictions.labels(one.domain, one.tier or "", one.prepared.source or "").inc()
            self.measures.reviews.inc(int(one.review))
            answer = (
                identification_row(one)
                | {"prediction_id": recorded[number].prediction_id}
                | self._response(one)
            )
            if matchings is not None:
                answer |= {k: v for k, v in matching_row(one.id, matchings[number]).items() if k != "id"}
                for proposed, match_id in zip(answer["matches"], recorded[number].match_ids, strict=True):
                    proposed["match_id"] = match_id
            answers.append(answer)
        return answers

    def _response(self, one: Any) -> dict[str, Any]:
        response = self.identifier.taxonomy.respond(one.tier, one.urgency or "", one.prepared.text)
        if response is None:
            return {"response": None}
        strategy, handling = response
        return {
            "response": {
                "handling": handling.id,
                "strategy": strategy.strategy_zh,
                "deadline_seconds": int(handling.deadline.total_seconds()),
                "calendar": handling.calendar,
            }
        }

    def _message(self, body: MessageBody, number: int) -> Message:
        place = f"messages.{number}"
        if len(body.text) > self.settings.max_text:
            raise ProblemError(
                422, "text-too-long", "Text too long",
                f"{place}.text: {len(body.text)} characters, {self.settings.max_text} at most; shorten it",
            )  # fmt: skip
        if not body.text.strip() and not (body.title or "").strip():
            raise ProblemError(422, "text-empty", "Text empty", f"{place}.text is empty; give the message")
        if body.source is not None and body.source not in self.identifier.taxonomy.source_ids:
            known = ", ".join(self.identifier.taxonomy.source_ids)
            raise ProblemError(422, "unknown-source", "Unknown source", f"{place}.source: one of {known}")
        return Message(body.text, body.id, body.source, body.title, body.district, body.received_at)


def create_app(settings: Settings, identifier: Identifier, matcher: Matcher, ledger: Ledger) -> FastAPI:
    """The application over its collaborators."""
    app = FastAPI(
        title="Zhixu 知需", version="0.1.0", description="听懂居民的需求，找到合适的资源 · needs and matches"
    )
    service = Service(settings, identifier, matcher, ledger, _Measures(identifier.version))
    app.state.service = service
    _add_errors(app)
    _add_limits(app, service)
    _add_routes(app)
    return app


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Answering = Annotated[Service, Depends(_service)]
Matched = Annotated[bool, Query(description="是否匹配资源 · also match resources")]


def _add_routes(app: FastAPI) -> None:

    @app.post("/v1/classify", summary="识别一条诉求 · one message", openapi_extra=_example(_EXAMPLE))
    def classify(body: MessageBody, service: Answering, match: Matched = True) -> dict[str, Any]:
        return service.answer([body], match=match)[0]

    @app.post(
        "/v1/classify/batch",
        summary="识别多条诉求 · several messages",
        openapi_extra=_example({"messages": [_EXAMPLE]}),
    )
    def classify_batch(body: BatchBody, service: Answering, match: Matched = True) -> dict[str, Any]:
        if len(body.messages) > service.settings.max_batch:
            raise ProblemError(
                422, "batch-too-large", "Batch too large",
                f"{len(body.messages)} messages, {service.settings.max_batch} at most; split the batch",
            )  # fmt: skip
        return {"results": service.answer(body.messages, match=match)}

    @app.post("/v1/match", summary="匹配资源 · resources for one request", openapi_extra=_example(_EXAMPLE))
    def match(body: MessageBody, service: Answering) -> dict[str, Any]:
        answer = service.answer([body], match=True, requests=True)[0]
        return {name: answer[name] for name in ("id", "no_fit", "matches", "prediction_id")}

    @app.get("/healthz", summary="存活 · alive")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="就绪 · ready to answer")
    def readyz(service: Answering) -> dict[str, str]:
        try:
            service.ledger.count()
        except SQLAlchemyError:
            raise ProblemError(
                503, "ledger-unavailable", "Ledger unavailable", "the ledger cannot be read"
            ) from None
        return {"status": "ready", "model": service.identifier.version, "catalogue": service.matcher.version}

    @app.get("/metrics", summary="Prometheus", response_class=Response)
    def metrics(service: Answering) -> Response:
        return Response(generate_latest(service.measures.registry), media_type="text/plain; version=0.0.4")


def _example(value: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"example": value}}}}


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    def problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return error.response()

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return ProblemError(422, "invalid-request", "Invalid request", f"{place}: {first['msg']}").response()

    @app.exception_handler(HTTPException)
    def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return ProblemError(error.status_code, "http", str(error.detail), "see /docs for the API").response()


def _add_limits(app: FastAPI, service: Service) -> None:
    async def limit(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        size = request.headers.get("content-length", "0")
        if not size.isdigit() or int(size) > service.settings.max_body:
            response: Response = ProblemError(
                413,
                "body-too-large",
                "Body too large",
                f"{service.settings.max_body} bytes at most; split the batch",
            ).response()
        else:
            response = await go_on(request)
        route = getattr(request.scope.get("route"), "path", "unknown")
        service.measures.seconds.labels(route, str(response.status_code)).observe(
            time.perf_counter() - started
        )
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=limit)

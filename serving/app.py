"""The application: collaborators, layers and routers put together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware.gzip import GZipMiddleware

from evaluation.ledger import Ledger
from matching.matcher import Matcher
from models.identifier import Identifier
from serving.access import Gate
from serving.answering import Answering
from serving.engine import Engine
from serving.jobs import JobRunner
from serving.limits import BodyLimits
from serving.log import RequestLog
from serving.metrics import Metrics
from serving.openapi import describe
from serving.problems import add_problems
from serving.routes import accuracy, classify, docs, feedback, jobs, match, models, needs, probes, resources
from serving.service import Service
from serving.settings import Settings
from serving.swap import Swap

VERSION = "0.1.0"
_LOG = logging.getLogger("zhixu.service")
_ROUTERS = (classify, match, jobs, feedback, resources, models, accuracy, needs, probes, docs)


def create_app(
    settings: Settings,
    identifier: Identifier,
    matcher: Matcher,
    ledger: Ledger | None,
    routers: Sequence[APIRouter] = (),
    golden: Sequence[dict[str, Any]] | None = None,
) -> FastAPI:
    """The application over its collaborators; without a ledger nothing is recorded.

    `routers` are more routes to serve, such as pages; `golden` messages that replace the shipped ones.
    """
    metrics = Metrics()
    swap = Swap(Engine(identifier, matcher, settings.model), ledger, metrics, golden)
    answering = Answering(swap, ledger, metrics, settings.max_waiting, settings.read_together)
    service = Service(settings, swap, ledger, Gate(ledger), metrics, answering)
    app = FastAPI(
        title="Zhixu 知需",
        version=VERSION,
        description="听懂居民的需求，找到合适的资源 · needs and matches",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        generate_unique_id_function=_operation_id,
    )
    app.state.service = service
    add_problems(app)
    for noun in _ROUTERS:
        app.include_router(noun.router)
    for router in routers:
        app.include_router(router)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(BodyLimits, settings=settings)
    app.add_middleware(RequestLog, metrics=metrics)
    app.openapi = partial(describe, app)  # type: ignore[method-assign]
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    refreshing = asyncio.create_task(_refresh(service))
    runner = None
    if service.ledger is not None:
        await asyncio.to_thread(service.swap.note_start)
        runner = app.state.jobs = JobRunner(service)
        runner.start()
    yield
    refreshing.cancel()
    if runner is not None:
        await runner.stop()
    await asyncio.to_thread(service.close)
    if (traces := getattr(app.state, "traces", None)) is not None:
        await asyncio.to_thread(traces.shutdown)  # sends what is still to be sent


async def _refresh(service: Service) -> None:
    """Follow what other processes change: keys and the catalogue."""
    while True:
        await asyncio.sleep(service.settings.refresh_seconds)
        try:
            await asyncio.to_thread(service.gate.refresh)
            await asyncio.to_thread(service.swap.refresh)
        except SQLAlchemyError as error:
            _LOG.warning("ledger unavailable", extra={"facts": {"error": type(error).__name__}})

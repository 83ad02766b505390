"""Probes: alive, ready, and the metrics."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from prometheus_client import generate_latest

from serving.problems import ProblemError
from serving.service import Serving
from serving.shapes import Health, Readiness

router = APIRouter(tags=["probes"])


@router.get("/healthz", summary="存活 · alive")
async def healthz() -> Health:
    """进程存活。"""
    return Health(status="ok")


@router.get("/readyz", summary="就绪 · ready to answer")
async def readyz(service: Serving) -> Readiness:
    """可以答复；停机前先变为 503，记录库不可用时亦然。"""
    if service.draining:
        raise ProblemError(
            503,
            "draining",
            "Draining",
            "正在停机，请转往其他实例 · shutting down; send requests elsewhere",
            {"Retry-After": "5"},
        )
    if service.ledger is not None:
        await asyncio.to_thread(service.ledger.check)
    engine = service.swap.engine
    return Readiness(status="ready", model=engine.identifier.version, catalogue=engine.matcher.version)


@router.get("/metrics", summary="Prometheus 指标 · metrics", response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
async def metrics(service: Serving) -> Response:
    """只有计数与时长，没有文本。"""
    return Response(generate_latest(service.metrics.registry), media_type="text/plain; version=0.0.4")

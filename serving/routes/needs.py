"""The need map: how many needs of which kind came from where, week by week."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from evaluation.counts import fresh_counts
from serving.access import Analyst
from serving.conditional import conditional
from serving.paging import Cursor, from_cursor, to_cursor
from serving.routes.accuracy import Since, Until, to_period
from serving.service import Serving
from serving.shapes import NeedCount, NeedMap

router = APIRouter(prefix="/v1/needs", tags=["needs"])

_ORDER = ("week", "domain", "tier", "district", "source")
Limit = Annotated[int, Query(ge=1, le=10_000, description="至多几条 · at most")]


@router.get(
    "/map", summary="需求图谱 · counts by domain, tier, district, source and week", response_model=NeedMap
)
async def need_map(
    request: Request,
    service: Serving,
    _caller: Analyst,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 1000,
) -> Response:
    """领域 × 层级 × 区域 × 来源 × 周的计数，分页；带 If-None-Match 时未变则 304。"""
    period = to_period(since, until)
    place = from_cursor(cursor, str, str, str, str, str)
    counts = await asyncio.to_thread(fresh_counts, service.books, period)
    cells = sorted(counts.by(*_ORDER).items())
    if place is not None:
        cells = [cell for cell in cells if cell[0] > place]
    page = cells[:limit]
    shapes = [
        NeedCount.model_validate(
            {"week": week, "domain": domain, "tier": tier or None, "district": district or None,
             "source": source or None, "n": n}
        )
        for (week, domain, tier, district, source), n in page
    ]  # fmt: skip
    following = to_cursor(*page[-1][0]) if len(cells) > limit else None
    return conditional(request, NeedMap(counts=shapes, next=following))

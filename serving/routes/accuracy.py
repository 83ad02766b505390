"""Accuracy: how often answers were right, by audits and by what people said."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from evaluation.accuracy import ALL, Books, Figure
from evaluation.metrics import Estimate
from evaluation.periods import Period
from serving.access import Analyst
from serving.conditional import conditional
from serving.problems import ProblemError
from serving.service import Serving
from serving.shapes import AccuracyAnswer, FigureAnswer, Interval

router = APIRouter(prefix="/v1/accuracy", tags=["accuracy"])

Since = Annotated[date | None, Query(description="起始日，含 · first local day")]
Until = Annotated[date | None, Query(description="截止日，含 · last local day")]
Dimension = Literal["domain", "true_domain", "tier", "source", "district", "model", "week"]


def to_period(since: date | None, until: date | None) -> Period:
    """The local days asked for. Raises ProblemError where they are no period."""
    try:
        return Period.of_days(since, until)
    except (ValueError, OverflowError):
        raise ProblemError(
            422,
            "period-unusable",
            "Period unusable",
            "query: 起止日期颠倒或超出范围 · since and until are the wrong way round or out of range",
        ) from None


@router.get("", summary="准确率 · how often answers were right", response_model=AccuracyAnswer)
async def accuracy(
    request: Request,
    service: Serving,
    _caller: Analyst,
    since: Since = None,
    until: Until = None,
    by: Annotated[Dimension | None, Query(description="再按此分组 · also by this dimension")] = None,
) -> Response:
    """识别（领域、层级、紧急程度、次要需求）与匹配（接受、满足）的准确率，附 95% 区间与样本数。"""
    period = to_period(since, until)
    dimensions = (ALL,) if by is None else (ALL, by)
    books = await asyncio.to_thread(Books.open, service.books, period)
    figures = await asyncio.to_thread(books.figures, dimensions)
    answer = AccuracyAnswer(since=since, until=until, figures=[_shape(figure) for figure in figures])
    return conditional(request, answer)


def _shape(figure: Figure) -> FigureAnswer:
    return FigureAnswer(
        measure=figure.measure,
        dimension=figure.dimension,
        key=figure.key,
        audited=_interval(figure.audited),
        n_audited=figure.n_audited,
        told=_interval(figure.told),
        n_told=figure.n_told,
    )


def _interval(estimate: Estimate | None) -> Interval | None:
    return None if estimate is None else Interval(value=estimate.value, low=estimate.low, high=estimate.high)

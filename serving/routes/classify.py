"""Classifying: messages in, needs and matches out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from serving.access import Classifier
from serving.problems import ProblemError
from serving.questions import IdempotencyKey, to_questions
from serving.service import Serving
from serving.shapes import EXAMPLE, BatchAnswer, BatchBody, ClassifyAnswer, MessageBody

router = APIRouter(prefix="/v1/classify", tags=["classify"])

Matched = Annotated[bool, Query(description="是否匹配资源 · also match resources")]


def example(value: dict[str, Any]) -> dict[str, Any]:
    """An example request body for the documentation."""
    return {"requestBody": {"content": {"application/json": {"example": value}}}}


@router.post(
    "",
    summary="识别一条诉求 · one message",
    openapi_extra=example(EXAMPLE),
    response_model=ClassifyAnswer,
    response_model_exclude_unset=True,
)
async def classify(
    body: MessageBody, service: Serving, caller: Classifier, key: IdempotencyKey = None, match: Matched = True
) -> Any:
    """识别一条诉求的需求、层级、紧急程度，并匹配资源；答复前已入库。"""
    questions = to_questions(service, [body], caller, key, match=match)
    return (await service.answer(questions))[0]


@router.post(
    "/batch",
    summary="识别多条诉求 · several messages",
    openapi_extra=example({"messages": [EXAMPLE]}),
    response_model=BatchAnswer,
    response_model_exclude_unset=True,
)
async def classify_batch(
    body: BatchBody, service: Serving, caller: Classifier, key: IdempotencyKey = None, match: Matched = True
) -> Any:
    """一次识别多条，顺序不变；要么全部入库，要么全不入库。"""
    most = service.settings.max_batch
    if len(body.messages) > most:
        raise ProblemError(
            422, "batch-too-large", "Batch too large",
            f"messages: {len(body.messages)} 条，至多 {most} · {most} messages at most; split the batch or post a job",
        )  # fmt: skip
    questions = to_questions(service, body.messages, caller, key, match=match)
    return {"results": await service.answer(questions, bulk=True)}

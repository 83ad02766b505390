"""Matching: resources for a message that is known to ask for something."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from serving.access import Classifier
from serving.questions import IdempotencyKey, to_questions
from serving.routes.classify import example
from serving.service import Serving
from serving.shapes import EXAMPLE, MatchingAnswer, MessageBody

router = APIRouter(prefix="/v1/match", tags=["match"])


@router.post("", summary="匹配资源 · resources for one request", openapi_extra=example(EXAMPLE))
async def match(
    body: MessageBody, service: Serving, caller: Classifier, key: IdempotencyKey = None
) -> MatchingAnswer:
    """为一条已知有需求的诉求找资源，至多五项，附理由；没有合适的，`no_fit` 为真。"""
    questions = to_questions(service, [body], caller, key, match=True, has_need=True)
    answer: dict[str, Any] = (await service.answer(questions))[0]
    return MatchingAnswer(**{name: answer[name] for name in MatchingAnswer.model_fields})

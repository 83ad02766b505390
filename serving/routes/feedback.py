"""Feedback: what people say a message is about, and what became of a match."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from evaluation.keys import HeldKey
from evaluation.labels import GivenLabel, UnknownPredictionError, newest_prediction, record_labels
from evaluation.once import ReusedIdError
from evaluation.outcomes import GivenOutcome, UnknownMatchError, record_outcomes
from nlp.taxonomy import Taxonomy
from serving.access import Teller
from serving.problems import ProblemError, not_found
from serving.questions import IdempotencyKey
from serving.service import Service, Serving
from serving.shapes import FeedbackBody, LabelAnswer, OutcomeAnswer, OutcomeBody

router = APIRouter(prefix="/v1", tags=["feedback"])


@router.post("/feedback", status_code=201, summary="反馈标签 · what a message is really about")
async def give_label(
    body: FeedbackBody, service: Serving, caller: Teller, key: IdempotencyKey = None
) -> LabelAnswer:
    """纠正或确认一次识别；计入准确率，并成为下一批训练数据。"""
    _check_labels(body, service.swap.engine.identifier.taxonomy)
    prediction_id = body.prediction_id
    if prediction_id is None and body.message_id is not None:
        prediction_id = await asyncio.to_thread(newest_prediction, service.books, body.message_id)
    if prediction_id is None:
        if body.message_id is None:
            raise ProblemError(
                422,
                "invalid-request",
                "Invalid request",
                "body: 需要 prediction_id 或 message_id · give prediction_id or message_id",
            )
        raise not_found("诉求", "请给出答复过的编号 · no such message; give an id that was answered")
    label = GivenLabel(
        message_id="",
        domain=body.domain,
        annotator=body.annotator or caller.owner,
        origin="feedback",
        secondary=tuple(body.secondary),
        tier=body.tier,
        urgency=body.urgency,
        prediction_id=prediction_id,
    )
    try:
        [label_id] = await service.write(
            lambda: record_labels(service.books, [label], _ids(service, caller, "label", key))
        )
    except UnknownPredictionError:
        raise not_found(
            "预测", "请给出答复中的 prediction_id · no such prediction; give a prediction_id"
        ) from None
    except ReusedIdError:
        raise _reused() from None
    return LabelAnswer(label_id=label_id)


@router.post("/matches/{match_id}/outcome", status_code=201, summary="匹配结果 · what became of a match")
async def tell_outcome(
    match_id: str, body: OutcomeBody, service: Serving, caller: Teller, key: IdempotencyKey = None
) -> OutcomeAnswer:
    """资源是否被接受、需求是否得到满足。"""
    outcome = GivenOutcome(match_id, body.outcome, body.actor or caller.owner)
    try:
        [outcome_id] = await service.write(
            lambda: record_outcomes(service.books, [outcome], _ids(service, caller, "outcome", key))
        )
    except UnknownMatchError:
        raise not_found(
            "匹配", "请给出答复中的 match_id · no such match; give a match_id of an answer"
        ) from None
    except ReusedIdError:
        raise _reused() from None
    return OutcomeAnswer(outcome_id=outcome_id)


def _ids(service: Service, caller: HeldKey, kind: str, key: str | None) -> list[str] | None:
    """The row's id where the caller gave an Idempotency-Key: the same on every retry."""
    return None if key is None else [service.pseudonyms.of(kind, caller.owner, key)[:32]]


def _check_labels(body: FeedbackBody, taxonomy: Taxonomy) -> None:
    told = (
        ("domain", body.domain),
        *(("secondary", label) for label in body.secondary),
        ("tier", body.tier),
        ("urgency", body.urgency),
    )
    for name, label in told:
        known = taxonomy.field_ids[name]
        if label is not None and label not in known:
            raise ProblemError(
                422, "unknown-label", "Unknown label", f"body.{name}: 取其一 · one of {', '.join(known)}"
            )


def _reused() -> ProblemError:
    return ProblemError(
        409,
        "id-reused",
        "Id reused",
        "Idempotency-Key 已用于内容不同的请求 · the Idempotency-Key stands for another content; give a new one",
    )

"""Questions: request bodies checked and turned into what is to be answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Header

from evaluation.keys import HeldKey
from nlp.records import Message
from serving.answering import Question
from serving.problems import ProblemError
from serving.service import Service
from serving.shapes import MessageBody

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="重发时不变；同键同答，只计一次 · the same on a retry: the first answer comes again and counts once",
    ),
]


def to_questions(
    service: Service,
    bodies: Sequence[MessageBody],
    caller: HeldKey,
    key: str | None,
    *,
    match: bool,
    has_need: bool = False,
) -> list[Question]:
    """The questions of one request, in order, with the receipts under which their answers are remembered.

    A message with an id of its own, and a request with an Idempotency-Key, are answered once for each caller.
    Raises ProblemError 422 for text that is missing or too long, or a source the taxonomy does not list.
    """
    operation = f"{'match' if has_need else 'classify'} {match}"
    receipts: list[list[tuple[str, str]]] = [[] for _ in bodies]
    if key is not None or any(body.id for body in bodies):
        contents = [body.model_dump_json() for body in bodies]
        hashed = service.pseudonyms.of
        for number, body in enumerate(bodies):
            if body.id:
                receipts[number].append(
                    (
                        hashed("message", caller.owner, operation, body.id),
                        hashed("content", contents[number]),
                    )
                )
            if key is not None:
                receipts[number].append(
                    (
                        hashed("key", caller.owner, operation, key, str(number)),
                        hashed("content", *contents),
                    )
                )
    return [
        Question(
            message=_message(service, body, number),
            match=match,
            has_need=has_need,
            facts=body.facts,
            resident=service.pseudonyms.of("resident", body.resident) if body.resident else None,
            receipts=tuple(receipts[number]),
        )
        for number, body in enumerate(bodies)
    ]


def _message(service: Service, body: MessageBody, number: int) -> Message:
    place, limit = f"messages.{number}", service.settings.max_text
    if len(body.text) > limit:
        raise ProblemError(
            422, "text-too-long", "Text too long",
            f"{place}.text: {len(body.text)} 字，至多 {limit} · {len(body.text)} characters, {limit} at most; shorten it",
        )  # fmt: skip
    if not body.text.strip() and not (body.title or "").strip():
        raise ProblemError(
            422, "text-empty", "Text empty", f"{place}.text: 正文为空 · the text is empty; give the message"
        )
    known = service.swap.engine.identifier.taxonomy.source_ids
    if body.source is not None and body.source not in known:
        raise ProblemError(
            422, "unknown-source", "Unknown source", f"{place}.source: 取其一 · one of {', '.join(known)}"
        )
    return Message(body.text, body.id, body.source, body.title, body.district, body.received_at)

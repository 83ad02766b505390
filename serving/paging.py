"""Paging: a cursor says where the next page begins; it is opaque to callers."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

from fastapi import Query

from serving.problems import ProblemError

Cursor = Annotated[
    str | None, Query(max_length=1000, description="上一页的 next · the `next` of the page before")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="至多几条 · at most")]


def to_cursor(*place: str | int) -> str:
    """A cursor for a place in an order."""
    return base64.urlsafe_b64encode(json.dumps(place, ensure_ascii=False).encode()).decode().rstrip("=")


def from_cursor(cursor: str | None, *kinds: type[str] | type[int]) -> tuple[Any, ...] | None:
    """The place a cursor stands for, None without one. Raises ProblemError where it is no such cursor."""
    if cursor is None:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
        if len(place) == len(kinds) and all(
            type(one) is kind for one, kind in zip(place, kinds, strict=True)
        ):
            return tuple(place)
    except (ValueError, TypeError, RecursionError):
        pass
    raise ProblemError(
        422,
        "cursor-unknown",
        "Cursor unknown",
        "query.cursor: 不是本接口给出的游标 · give the `next` of a page",
    )

"""Conditional answers (RFC 9110, section 13): a caller that holds the newest version is told so, not sent it again."""

from __future__ import annotations

import hashlib

from fastapi import Request, Response
from pydantic import BaseModel


def conditional(request: Request, answer: BaseModel) -> Response:
    """The answer with its ETag, or 304 where the caller names that ETag in If-None-Match."""
    body = answer.model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache, private"}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")

"""The documentation page: drawn from `/openapi.json` by the browser, with nothing fetched from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, RedirectResponse

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).resolve().parent.parent / "documentation"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@router.get("/")
async def root() -> Response:
    """To the documentation."""
    return RedirectResponse("/docs")


@router.get("/docs")
async def docs() -> Response:
    """The page."""
    return FileResponse(_FOLDER / "docs.html", headers=_HEADERS, media_type="text/html; charset=utf-8")


@router.get("/docs/{name}")
async def docs_part(name: Literal["docs.js", "docs.css"]) -> Response:
    """Its script and style."""
    return FileResponse(_FOLDER / name, headers=_HEADERS)

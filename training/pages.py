"""Pages the workshop writes: Jinja templates filled in, values escaped where they stand in HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlp.extras import require


def fill(template: str, **values: Any) -> str:
    """A template of this floor with these values."""
    jinja2 = require("jinja2", "train")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=jinja2.select_autoescape(("html", "html.j2")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page: str = environment.get_template(template).render(**values)
    return page

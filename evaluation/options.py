"""Options of the command line that several commands share."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from evaluation.periods import Period

LedgerUrl = Annotated[str, typer.Option("--ledger", envvar="ZHIXU_LEDGER", help="记录库 · ledger URL")]
TaxonomyFile = Annotated[Path | None, typer.Option("--taxonomy", help="分类体系 · taxonomy YAML")]
First = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="起始日 · first day")]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="截止日 · last day")]
Offset = Annotated[int, typer.Option(help="当地时间与 UTC 相差分钟数 · minutes east of UTC")]


def period_of(first: datetime | None, last: datetime | None, offset: int) -> Period:
    """The period two options name."""
    return Period.of_days(first.date() if first else None, last.date() if last else None, offset)

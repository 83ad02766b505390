"""`zhixu audit`: draw, import, settle, list, trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from evaluation.ledger import DEFAULT_LEDGER, Ledger
from evaluation.options import First, Last, LedgerUrl, Offset, TaxonomyFile, period_of
from evaluation.periods import OFFSET_MINUTES, Period
from nlp.taxonomy import Taxonomy

console = Console()
errors = Console(stderr=True)

_QUESTIONS = {
    "domain": "领域",
    "secondary": "次要领域",
    "tier": "层级",
    "urgency": "紧急程度",
    "fate": "匹配结果",
}


def draw(
    precision: Annotated[
        float, typer.Option(help="领域准确率 95% 区间的半宽 · wanted half width of the 95% interval")
    ] = 0.03,
    first: First = None,
    last: Last = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="审核表目录 · folder for the sheets")] = Path(
        "audits"
    ),
    form: Annotated[str, typer.Option("--format", help="xlsx, csv, jsonl, parquet")] = "xlsx",
    minimum: Annotated[int, typer.Option(help="每层至少抽取 · at least this many a stratum")] = 10,
    seed: Annotated[int | None, typer.Option(help="随机种子 · seed")] = None,
    actor: Annotated[str, typer.Option(help="抽样人 · who draws")] = "cli",
    ledger: LedgerUrl = DEFAULT_LEDGER,
    taxonomy: TaxonomyFile = None,
    offset: Offset = OFFSET_MINUTES,
) -> None:
    """抽取待审样本 · Draw this week's stratified sample, one sheet for each of two labellers.

    不指定日期时，从上次审核之后抽到昨天。Without days: from where the last audit ended to yesterday.
    """
    from evaluation.audit_sheets import audit_rows, write_sheet
    from evaluation.audits import draw_audit

    books = Ledger(ledger)
    period = _next_period(books, first, last, offset)
    drawn = draw_audit(books, period, half_width=precision, actor=actor, minimum=minimum, seed=seed)
    labels = Taxonomy.load(taxonomy)
    rows = audit_rows(books, drawn.id, labels)
    table = Table("层 Stratum", "总体 Population", "抽取 Drawn", title=f"{drawn.id} {_days(period)}")
    for stratum in drawn.strata:
        table.add_row(stratum.name, f"{stratum.population:,}", str(stratum.drawn))
    console.print(table)
    console.print(
        f"共抽 {len(rows):,} 条，预计半宽 ±{drawn.half_width:.3f} · {len(rows):,} cases, expected half width"
    )
    for number in (1, 2):
        path = out / f"{drawn.id}-{number}.{form}"
        write_sheet(path, rows, labels)
        console.print(str(path), markup=False, highlight=False)
    books.close()


def _next_period(books: Ledger, first: datetime | None, last: datetime | None, offset: int) -> Period:
    from evaluation.audits import AuditError, next_start

    zone = Period(offset_minutes=offset).zone
    yesterday = datetime.now(zone).date() - timedelta(days=1)
    period = Period.of_days(first.date() if first else None, last.date() if last else yesterday, offset)
    if period.start is not None:
        return period
    start = next_start(books)
    if start is None or period.end is None or start >= period.end:
        raise AuditError("nothing is left to audit up to that day; give --from and --to, or wait a day")
    return Period.of_days(start.astimezone(zone).date(), period.days[1], offset)


def import_sheets(
    audit: Annotated[str, typer.Argument(help="审核编号 · audit id")],
    sheets: Annotated[list[Path], typer.Argument(help="两份已填审核表 · the two filled sheets")],
    names: Annotated[
        str, typer.Option(help="两位审核人，逗号分隔 · the two labellers' names")
    ] = "first,second",
    out: Annotated[Path, typer.Option("-o", "--out", help="分歧表目录 · folder for differences")] = Path(
        "audits"
    ),
    ledger: LedgerUrl = DEFAULT_LEDGER,
    taxonomy: TaxonomyFile = None,
) -> None:
    """读入两份审核表 · Read both sheets: agreement, settled where both agree, the differences for a third person."""
    from evaluation.audit_sheets import audit_rows, write_sheet
    from evaluation.settling import AGREED, audited_ids, compare, record_annotations, record_settled

    annotators = [name.strip() for name in names.replace("，", ",").split(",") if name.strip()]
    if len(sheets) != 2 or len(annotators) != 2 or annotators[0] == annotators[1]:
        raise ValueError("an audit is judged by two people; give two sheets and two different names")
    books, labels = Ledger(ledger), Taxonomy.load(taxonomy)
    cases = audited_ids(books, audit)
    judgements = [_read(path, labels, cases) for path in sheets]
    comparison = compare(*judgements)
    for given, name in zip(judgements, annotators, strict=True):
        record_annotations(books, given, name)
    record_settled(books, comparison.agreed, AGREED)
    _show_agreement(comparison.agreements)
    console.print(
        f"一致 {len(comparison.agreed)} 条，分歧 {len(comparison.differing)} 条，仅一人判 {len(comparison.single)} 条 · "
        "agreed, differing, judged by one only"
    )
    if comparison.differing:
        rows = audit_rows(books, audit, labels, [a.prediction_id for a, _ in comparison.differing])
        said = {a.prediction_id: (a, b) for a, b in comparison.differing}
        shown = [
            row
            | {
                name: _told(one, labels)
                for name, one in zip(annotators, said[row["prediction_id"]], strict=True)
            }
            for row in rows
        ]
        path = out / f"{audit}-settle{sheets[0].suffix.lower()}"
        write_sheet(path, shown, labels, annotators)
        console.print(f"待裁定 · to settle: {path}", markup=False, highlight=False)
    books.close()


def settle(
    audit: Annotated[str, typer.Argument(help="审核编号 · audit id")],
    sheet: Annotated[Path, typer.Argument(help="已裁定的分歧表 · the settled sheet")],
    name: Annotated[str, typer.Option(help="裁定人 · who settled")],
    ledger: LedgerUrl = DEFAULT_LEDGER,
    taxonomy: TaxonomyFile = None,
) -> None:
    """写入裁定结果 · Write a third person's settled judgements as the truth."""
    from evaluation.settling import audited_ids, record_settled

    books = Ledger(ledger)
    settled = _read(sheet, Taxonomy.load(taxonomy), audited_ids(books, audit))
    console.print(f"已裁定 {record_settled(books, settled, name)} 条 · settled")
    books.close()


def list_audits(ledger: LedgerUrl = DEFAULT_LEDGER, offset: Offset = OFFSET_MINUTES) -> None:
    """历次审核 · All audits and how far they have come."""
    from evaluation.settling import agreements, audit_statuses

    books = Ledger(ledger)
    table = Table()
    for heading in ("审核 Audit", "期间 Period", "总体 Population", "抽取 Drawn", "已定 Settled", "κ 领域"):
        table.add_column(heading, overflow="fold", min_width=14 if heading == "审核 Audit" else None)
    for status in audit_statuses(books):
        one = status.audit
        kappa = {found.question: found.kappa for found in agreements(books, one.id)}.get("domain")
        table.add_row(
            one.id,
            _days(Period(one.starts_at, one.ends_at, offset)),
            f"{one.population:,}",
            str(one.drawn),
            str(status.settled),
            f"{kappa.value:.2f} [{kappa.low:.2f}, {kappa.high:.2f}]" if kappa else "—",
        )
    console.print(table)
    books.close()


def trail(
    measure: Annotated[str, typer.Option(help="指标 · measure")] = "domain",
    by: Annotated[str, typer.Option(help="维度 · dimension")] = "all",
    key: Annotated[str, typer.Option(help="取值 · value of the dimension")] = "all",
    first: First = None,
    last: Last = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="写到文件 · JSONL, CSV, XLSX, Parquet")
    ] = None,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    offset: Offset = OFFSET_MINUTES,
) -> None:
    """追溯一个数字 · The rows behind a figure, with the model, taxonomy and catalogue that answered."""
    from evaluation.accuracy import ALL, DIMENSIONS, Books, trail
    from evaluation.cases import MEASURES
    from nlp.tables import write_rows

    for name, given, known in (("measure", measure, MEASURES), ("by", by, (ALL, *DIMENSIONS))):
        if given not in known:
            raise ValueError(f"--{name} {given!r} is none of {', '.join(known)}")
    books = Ledger(ledger)
    read = Books.open(books, period_of(first, last, offset))
    figure, rows = read.figure(measure, by, key), trail(read, measure, by, key)
    audited = figure.audited
    if audited:
        console.print(
            f"{measure} · {by}={key}: {audited.value:.4f} [{audited.low:.4f}, {audited.high:.4f}], "
            f"n={figure.n_audited}",
            markup=False,
        )
    for version in ("model", "taxonomy", "catalogue"):
        found = sorted({row[version] for row in rows if row[version]})
        console.print(f"{version}: {', '.join(found) or '—'}", markup=False, highlight=False)
    if out:
        write_rows(out, rows, list(rows[0]))
        console.print(f"{len(rows):,} → {out}", markup=False, highlight=False)
    else:
        for row in rows[:20]:
            console.print(
                row["kind"],
                row["prediction_id"],
                row["domain"],
                row["true_domain"],
                row["right"],
                markup=False,
            )
    books.close()


def _read(path: Path, taxonomy: Taxonomy, cases: Sequence[str]) -> list[Any]:
    from evaluation.audit_sheets import JudgementReader
    from nlp.tables import RowError

    found = list(JudgementReader(taxonomy, cases).read(path))
    problems = [one for one in found if isinstance(one, RowError)]
    for problem in problems:
        errors.print(f"{path}: {problem}", markup=False, highlight=False)
    if problems:
        raise ValueError(f"{path}: {len(problems)} rows cannot be used; nothing was written, mend them first")
    if not found:
        raise ValueError(f"{path}: no judged row; fill in the column 领域 (domain)")
    return found


def _told(judgement: Any, taxonomy: Taxonomy) -> str:
    said = asdict(judgement)
    parts = [said["domain"], *said["secondary"], said["tier"], said["urgency"], said["fate"]]
    return " / ".join(taxonomy.name(part) for part in parts if part)


def _show_agreement(agreements: Sequence[Any]) -> None:
    table = Table("问题 Question", "条数 n", "一致率 Share", "κ [95%]", title="两人一致性 Agreement")
    for one in agreements:
        table.add_row(_QUESTIONS[one.question], str(one.n), f"{one.share:.3f}", str(one.kappa))
    console.print(table)


def _days(period: Period) -> str:
    first, last = period.days
    return f"{first} — {last}"

"""`zhixu report accuracy|needs|drift|emerging`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
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
Out = Annotated[Path, typer.Option("-o", "--out", help="输出文件名，不含后缀 · file name without ending")]
Formats = Annotated[str, typer.Option("--format", help="html,xlsx,csv,png")]
LanguageName = Annotated[str, typer.Option("--language", help="zh 或 en")]


def accuracy(
    first: First = None,
    last: Last = None,
    out: Out = Path("reports/accuracy"),
    formats: Formats = "html,xlsx",
    language: LanguageName = "zh",
    target: Annotated[float, typer.Option(help="目标线 · line the accuracies are held to")] = 0.89,
    webhook: Annotated[
        str | None, typer.Option(envvar="ZHIXU_ACCURACY_WEBHOOK", help="未达标时通知 · URL to alert")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="Prometheus 文本文件 · text file for a node exporter")
    ] = None,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    taxonomy: TaxonomyFile = None,
    offset: Offset = OFFSET_MINUTES,
) -> None:
    """准确率报告 · Audited accuracy with intervals, targets with alerts, response times."""
    from evaluation.accuracy import Books
    from evaluation.report_tables import accuracy_report
    from evaluation.targets import TARGETS, Target, check_targets, raise_alerts, write_metrics

    books, period = Ledger(ledger), period_of(first, last, offset)
    targets = [Target(one.measure, target) for one in TARGETS]
    as_of = period.end or datetime.now(UTC)
    labels = Taxonomy.load(taxonomy)
    read = Books.open(books, period)
    report = accuracy_report(books, period, labels, as_of, targets, _language(language), read)
    _write(report, out, formats)
    alerts = check_targets(read, targets)
    if metrics:
        write_metrics(metrics, alerts)
    raise_alerts(alerts, webhook)
    for alert in alerts:
        console.print(alert.message, markup=False, highlight=False)
    books.close()


def needs(
    first: First = None,
    last: Last = None,
    out: Out = Path("reports/needs"),
    formats: Formats = "html,xlsx",
    language: LanguageName = "zh",
    ledger: LedgerUrl = DEFAULT_LEDGER,
    taxonomy: TaxonomyFile = None,
    offset: Offset = OFFSET_MINUTES,
) -> None:
    """需求图谱 · Needs by source, domain, tier, district and week."""
    from evaluation.report_tables import needs_report

    books = Ledger(ledger)
    period = period_of(first, last, offset)
    _write(needs_report(books, period, Taxonomy.load(taxonomy), _language(language)), out, formats)
    books.close()


def drift(
    first: First = None,
    last: Last = None,
    days: Annotated[int, typer.Option(help="对照期天数 · days of the reference window before it")] = 56,
    out: Out = Path("reports/drift"),
    formats: Formats = "html,xlsx",
    language: LanguageName = "zh",
    ledger: LedgerUrl = DEFAULT_LEDGER,
    taxonomy: TaxonomyFile = None,
    offset: Offset = OFFSET_MINUTES,
) -> None:
    """漂移报告 · What changed against a reference window; without days, the last four weeks."""
    from evaluation.report_tables import drift_report

    books, current = Ledger(ledger), period_of(first, last, offset)
    start = current.start or (current.end or datetime.now(UTC)) - timedelta(days=28)
    current = Period(start, current.end, offset)
    reference = Period(start - timedelta(days=days), start, offset)
    report = drift_report(books, reference, current, Taxonomy.load(taxonomy), _language(language))
    _write(report, out, formats)
    books.close()


def emerging(
    data: Annotated[Path, typer.Option(help="带时间的留言 · messages with times, JSONL, CSV, XLSX, Parquet")],
    days: Annotated[int, typer.Option(help="近期天数 · days of the recent window")] = 14,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="写到文件 · JSONL, CSV, XLSX")] = None,
) -> None:
    """新苗头 · Topics of a file that grow faster than its messages do."""
    from evaluation.emerging import Spoken, find_emerging
    from nlp.reading import MessageReader
    from nlp.records import Message
    from nlp.tables import read_rows, write_rows

    raw = [(line, row) for line, row in read_rows(data) if isinstance(row, dict)]
    likes = {line: row.get("likes", 0) for line, row in raw}
    spoken = [
        Spoken(one.full_text, one.received_at, one.district or "", _whole(likes[line]))
        for line, one in MessageReader(Taxonomy.load()).read(iter(raw))
        if isinstance(one, Message) and one.received_at
    ]
    topics = find_emerging(spoken, days)
    table = Table("词 Words", "近期 Recent", "此前 Earlier", "增速 Growth", "q", "点赞 Likes", "热度 Heat")
    rows: list[dict[str, Any]] = []
    for topic in topics:
        words = " ".join(topic.words)
        table.add_row(
            words, str(topic.recent), str(topic.earlier), f"{topic.growth:.1f}", f"{topic.q:.4f}",
            str(topic.likes), f"{topic.heat:.1f}",
        )  # fmt: skip
        rows.append({name: getattr(topic, name) for name in ("recent", "earlier", "growth", "p", "q", "likes", "heat",
                                                             "district", "share")} | {"words": words})  # fmt: skip
    console.print(table)
    console.print(f"{len(spoken):,} 条留言，{len(topics)} 个新苗头 · messages, emerging topics")
    if out:
        write_rows(out, rows, list(rows[0]) if rows else ["words"])


def _whole(value: Any) -> int:
    try:
        return max(int(float(value)), 0)
    except (TypeError, ValueError):
        return 0


def _language(name: str) -> Any:
    if name not in ("zh", "en"):
        raise ValueError(f"--language {name!r} is none of zh, en")
    return name


def _write(report: Any, out: Path, formats: str) -> None:
    from evaluation.report_files import FORMATS, write_report

    wanted: Sequence[str] = [form.strip() for form in formats.split(",") if form.strip()]
    if wrong := [form for form in wanted if form not in FORMATS]:
        raise ValueError(f"--format {wrong[0]!r} is none of {', '.join(FORMATS)}")
    for form in wanted:
        for path in write_report(report, out, form):
            console.print(str(path), markup=False, highlight=False)
    console.print(f"sha256 {report.digest}", highlight=False)

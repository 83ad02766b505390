"""`zhixu labels`: check a batch, suggest what to label, export it, import what was labelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from evaluation.agreement import Agreement, agreements
from evaluation.labels import GivenLabel, labels_given, newest_labels, record_labels
from evaluation.ledger import DEFAULT_LEDGER, Ledger
from evaluation.options import LedgerUrl, TaxonomyFile
from models.artifact import read_artifact
from models.identifier import Identifier, Knowledge, load_encoder
from models.reference import resolve
from nlp.paths import dataset_path
from nlp.preparing import Preparer
from nlp.reading import MessageReader
from nlp.records import LabelledMessage
from nlp.tables import NumberedRow, RowError, read_rows, write_rows
from nlp.taxonomy import Taxonomy
from training.batches import read_batch, test_records
from training.label_studio import labelling_config, read_annotations, write_tasks
from training.retraining import judge_for
from training.suggestion import suggest
from training.validation import ERROR, Limits, Validation
from training.validation_page import show_validation, validation_page

console = Console()
errors = Console(stderr=True)

BATCH_COLUMNS = ("id", "text", "source", "district", "domain", "secondary", "tier", "urgency")
SUGGESTED_COLUMNS = (
    "id", "prediction_id", "text", "source", "district", "domain", "tier", "urgency", "confidence", "need",
    "novelty", "score",
)  # fmt: skip

Out = Annotated[Path, typer.Option("-o", "--out", help="输出 · output file")]


def check_batch(
    batch: Annotated[str, typer.Argument(help="标注批次 · table, Label Studio JSON, ledger[:date]")],
    test: Annotated[str | None, typer.Option(help="冻结的测试集 · frozen test set")] = None,
    earlier: Annotated[
        list[str] | None, typer.Option(help="以往批次 · earlier batches, for drift and label errors")
    ] = None,
    taxonomy: TaxonomyFile = None,
    model: Annotated[str, typer.Option(help="旁证模型 · a model that has not seen the batch")] = "default",
    html: Annotated[Path | None, typer.Option(help="写出网页报告 · write the report here")] = None,
    clean: Annotated[
        Path | None, typer.Option(help="写出去掉出错行的批次 · write the batch without the rows in error")
    ] = None,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """核验批次 · Validate a labelled batch before anything trains on it; exit 1 on errors."""
    known = taxonomy.read_bytes() if taxonomy else dataset_path("taxonomy.yaml").read_bytes()
    encoder = load_encoder(read_artifact(resolve(None)))
    knowledge = Knowledge.assemble(known, dataset_path("lexicon.tsv").read_bytes(), encoder)
    read = read_batch(batch, lambda: Ledger(ledger))
    tested, *earlier_ones = (
        test_records(read_batch(one), knowledge.taxonomy, errors) if one else []
        for one in (test, *(earlier or ()))
    )
    before = [record for records in earlier_ones for record in records]
    report = Validation(
        read, knowledge, tested, before, Limits(), judge_for(knowledge.taxonomy, model)
    ).report()
    show_validation(report, console)
    if html:
        html.write_text(validation_page(report), "utf-8")
    if clean:
        wrong = {place.line for finding in report.errors for place in finding.places}
        wrong |= {line for line, row in read.read(knowledge.taxonomy) if isinstance(row, RowError)}
        kept = [row for line, row in read.rows if line not in wrong and not isinstance(row, RowError)]
        columns = tuple(dict.fromkeys(name for row in kept for name in row)) or BATCH_COLUMNS
        typer.echo(f"{write_rows(clean, kept, columns)} -> {clean}")
    if any(finding.severity == ERROR for finding in report.findings):
        raise typer.Exit(1)


def suggest_labels(
    out: Out,
    n: Annotated[int, typer.Option("-n", min=1, max=100_000, help="条数 · how many")] = 200,
    window: Annotated[int, typer.Option(min=1, help="只看最近这些 · among the newest this many")] = 20_000,
    model: Annotated[str, typer.Option(help="模型 · model reference")] = "default",
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """建议标注 · The answered messages most worth labelling; a .json output is a Label Studio task file."""
    identifier = Identifier.load(model)
    found = suggest(Ledger(ledger), identifier, n, window)
    rows = [{name: value for name, value in asdict(one).items() if name != "message_id"} for one in found]
    rows = [{"id": one.message_id, **row} for one, row in zip(found, rows, strict=True)]
    if out.suffix.lower() == ".json":
        count = write_tasks(out, rows, identifier.version)
        config = out.with_suffix(".config.xml")
        config.write_text(labelling_config(identifier.taxonomy), "utf-8")
        typer.echo(f"标注界面 labelling interface -> {config}")
    else:
        count = write_rows(out, rows, SUGGESTED_COLUMNS)
    typer.echo(f"{count} -> {out}")


def export_labels(
    out: Out,
    since: Annotated[datetime | None, typer.Option(help="自此日起 · from this day on (UTC)")] = None,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """导出标注 · The newest label of each labelled message as a batch to train on."""
    start = since.replace(tzinfo=UTC) if since else None
    count = write_rows(out, newest_labels(Ledger(ledger), start), BATCH_COLUMNS)
    typer.echo(f"{count} -> {out}")


def import_labels(
    source: Annotated[
        Path, typer.Argument(help="标好的文件 · Label Studio JSON, or a table with `annotator`")
    ],
    by: Annotated[
        str | None, typer.Option(help="标注人，文件未写时用 · who labelled, where no column says")
    ] = None,
    taxonomy: TaxonomyFile = None,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """导入标注 · Put labels into the ledger, report the annotators' agreement; what stands there already is passed over."""
    known = Taxonomy.load(taxonomy)
    rows = list(read_annotations(source) if source.suffix.lower() == ".json" else read_rows(source))
    book = Ledger(ledger)
    labels, bad = _given(rows, known, by)
    for problem in bad:
        errors.print(f"{source}: {problem}", markup=False, highlight=False)
    there = labels_given(book)
    fresh = [label for label in labels if label.said not in there]
    record_labels(book, fresh)
    typer.echo(f"{len(fresh)} 条入库 · labels recorded, {len(labels) - len(fresh)} 条已有 · there already")
    _show_agreement(
        agreements([{"id": one.prediction_id or one.message_id, **asdict(one)} for one in labels])
    )
    if bad:
        raise typer.Exit(1)


def _given(
    rows: list[NumberedRow], taxonomy: Taxonomy, by: str | None
) -> tuple[list[GivenLabel], list[RowError]]:
    """Labels with masked texts; each row is read by itself, for two annotators' rows share their message's id."""
    labels: list[GivenLabel] = []
    bad: list[RowError] = []
    preparer = Preparer(taxonomy)
    for line, row, record in _read_each(rows, taxonomy):
        if isinstance(record, RowError) or isinstance(row, RowError):
            bad.append(record if isinstance(record, RowError) else RowError(line, "no record"))
            continue
        annotator = str(row.get("annotator") or by or "")
        if not annotator:
            bad.append(RowError(line, "no field 'annotator'; name who labelled with --by"))
            continue
        prepared = preparer.prepare([record.message])[0]
        labels.append(
            GivenLabel(
                prepared.id,
                record.domain,
                annotator,
                "import",
                record.secondary,
                record.tier,
                record.urgency,
                str(row["prediction_id"]) if row.get("prediction_id") else None,
                prepared.text,
                prepared.source,
                prepared.district,
            )
        )
    return labels, bad


def _read_each(
    rows: list[NumberedRow], taxonomy: Taxonomy
) -> Iterator[tuple[int, dict[str, Any] | RowError, LabelledMessage | RowError]]:
    for line, row in rows:
        for _, record in MessageReader(taxonomy).read_labelled([(line, row)]):
            yield line, row, record


def _show_agreement(found: list[Agreement]) -> None:
    if not found:
        return
    table = Table("判断", "标注人 Annotators", "n", "一致率", "κ [95%]", title="一致性 agreement")
    for one in found:
        table.add_row(
            one.decision, " / ".join(one.annotators), str(one.n), f"{one.agreed:.3f}", str(one.kappa)
        )
    console.print(table)

"""`zhixu evaluate` and `zhixu datasets check`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from evaluation.behaviour import LawResult, Laws, incapable, put_to_test
from evaluation.metrics import Estimate
from evaluation.own_text import check
from evaluation.performance import measure
from models.identifier import Identifier
from nlp.paths import dataset_path
from nlp.reading import MessageReader
from nlp.tables import RowError, read_rows, told_apart

console = Console()
errors = Console(stderr=True)


def evaluate(
    data: Annotated[Path, typer.Option(help="标注数据 · labelled JSONL, CSV, XLSX or Parquet")],
    model: Annotated[str, typer.Option(help="模型 · model reference")] = "default",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="写出 JSON · write the figures here")
    ] = None,
    laws: Annotated[
        bool, typer.Option(help="另测措辞变化下的稳健性 · also put behavioural laws to the test")
    ] = False,
    confusion: Annotated[
        Path | None, typer.Option(help="形近音近字表目录 · folder of look-alike tables, for --laws")
    ] = None,
    split: Annotated[str | None, typer.Option(help="只评此份，如 test · only rows of this split")] = None,
    strict: Annotated[bool, typer.Option(help="遇错即停 · stop at the first bad row")] = False,
) -> None:
    """评估模型 · Accuracy, macro-F1 and per-class figures with 95% bootstrap intervals, and calibration."""
    identifier = Identifier.load(model)
    rows = (
        (line, row)
        for line, row in read_rows(data)
        if split is None or isinstance(row, RowError) or row.get("split") == split
    )
    records, bad = told_apart(MessageReader(identifier.taxonomy).read_labelled(rows))
    for problem in bad:
        errors.print(f"{data}: {problem}", markup=False, highlight=False)
        if strict:
            raise typer.Exit(1)
    if not records:
        errors.print(f"{data}: no usable row; see the lines above", markup=False)
        raise typer.Exit(1)
    figures = measure(identifier, records)
    _show(figures)
    if laws:
        results = put_to_test(identifier, records, Laws.load(confusion))
        figures["laws"] = [asdict(result) for result in results]
        _show_laws(results)
    if json_file:
        json_file.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _interval(estimate: dict[str, float] | Estimate) -> str:
    return str(estimate if isinstance(estimate, Estimate) else Estimate(**estimate))


def _show(figures: dict[str, Any]) -> None:
    summary = Table("指标 Measure", "值 Value [95%]", title=f"模型 {figures['model']} · n={figures['n']}")
    for name, title in (("domain", "领域 domain"), ("tier", "层级 tier"), ("urgency", "紧急程度 urgency")):
        if name in figures:
            summary.add_row(f"{title} accuracy", _interval(figures[name]["accuracy"]))
            summary.add_row(f"{title} macro-F1", _interval(figures[name]["macro_f1"]))
    summary.add_row("领域校准误差 domain ECE", _interval(figures["domain_calibration_error"]))
    summary.add_row("转人工比例 review rate", f"{figures['review_rate']:.3f}")
    console.print(summary)
    for name in ("domain", "tier", "urgency"):
        if name in figures:
            table = Table("类别 Class", "P", "R", "F1 [95%]", "n", title=name)
            for label, row in figures[name]["per_class"].items():
                table.add_row(
                    label,
                    f"{row['precision']:.3f}",
                    f"{row['recall']:.3f}",
                    _interval(row["f1"]),
                    str(row["support"]),
                )
            console.print(table)


def _show_laws(results: list[LawResult]) -> None:
    table = Table("法则 Law", "类型 Kind", "违反率 Failure rate [95%]", "n", title="行为测试 Behaviour")
    for result in results:
        if result.kind != "capability":
            row = (result.law, result.kind, _interval(asdict(result.failure_rate)), str(result.n))
            table.add_row(*row)
    console.print(table)
    topics = [result for result in results if result.kind == "capability"]
    weak = incapable(results)
    console.print(
        f"话题 topics: {len(topics)}；半数以上判错 mostly misjudged: {len(weak)}"
        + "".join(
            f"\n  {result.law} {_interval(asdict(result.failure_rate))} n={result.n}" for result in weak
        )
    )


def check_datasets(
    directory: Annotated[Path | None, typer.Option("--dir", help="数据目录 · dataset folder")] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="不得与之雷同的文本 · text it must share no run with")
    ] = None,
) -> None:
    """核验自有数据 · Check the project's own text: quotas, labels, duplicates, leaks, splits."""
    table = Table(title="zhixu datasets check")
    for heading in ("核验 Check", "结果 Result", ""):
        table.add_column(heading)
    failed = 0
    for finding in check(directory or dataset_path("quotas.yaml").parent, against or ()):
        failed += not finding.holds
        table.add_row(finding.check, finding.told, "" if finding.holds else "✗")
    console.print(table)
    if failed:
        errors.print(f"{failed} 项不合格 · checks do not hold")
        raise typer.Exit(1)

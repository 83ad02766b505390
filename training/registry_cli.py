"""`zhixu registry`: register, compare, promote, roll back, and the log of who answered when."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from evaluation.activations import activations
from evaluation.comparison import Comparison
from evaluation.ledger import DEFAULT_LEDGER, Ledger
from evaluation.options import LedgerUrl
from evaluation.performance import measure
from models.identifier import Identifier
from models.registry import CHALLENGER, MODEL_NAME
from nlp.records import LabelledMessage
from nlp.taxonomy import Taxonomy
from training.batches import Batch, read_batch, test_records
from training.promotion import Decision, decide, newest_feedback, seen_by
from training.registry import Registry, Version

console = Console()
errors = Console(stderr=True)

Tracking = Annotated[
    str | None, typer.Option("--tracking", envvar="ZHIXU_MLFLOW", help="MLflow 地址 · MLflow URI")
]
Name = Annotated[str, typer.Option(help="注册名 · registered model")]
Actor = Annotated[str | None, typer.Option("--by", help="经办人 · who does this; your login by default")]
TestSet = Annotated[str, typer.Option("--test", help="冻结的测试集 · frozen test set")]
Margin = Annotated[float, typer.Option(min=0, max=1, help="容许的下降 · loss allowed anywhere")]


def register(
    directory: Annotated[Path, typer.Argument(help="zhixu train 的输出 · what zhixu train wrote")],
    test: TestSet,
    name: Name = MODEL_NAME,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    tracking: Tracking = None,
) -> None:
    """登记为挑战者 · Register a trained model, with its figures on the test set, as challenger."""
    identifier = Identifier.load(directory)
    figures = measure(identifier, _records(read_batch(test), identifier.taxonomy))
    registry = Registry(Ledger(ledger), tracking, name)
    report = directory.with_name(f"{directory.name}.report")
    version = registry.register(directory, _metrics(figures), report)
    typer.echo(f"{name}/{version.number}  {version.artifact}  ({', '.join(version.aliases)})")


def show(name: Name = MODEL_NAME, ledger: LedgerUrl = DEFAULT_LEDGER, tracking: Tracking = None) -> None:
    """列出各版本 · The registered versions."""
    table = Table("版本", "模型 Artifact", "别名 Aliases", "核验 Validation")
    for one in Registry(Ledger(ledger), tracking, name).versions():
        table.add_row(one.number, one.artifact, " ".join(one.aliases), one.tags.get("validation", ""))
    console.print(table)


def compare_models(
    test: TestSet,
    challenger: Annotated[str, typer.Argument(help="版本 · version, alias or artifact")] = CHALLENGER,
    margin: Margin = 0.02,
    json_file: Annotated[Path | None, typer.Option("--json", help="写出 JSON · write it here")] = None,
    name: Name = MODEL_NAME,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    tracking: Tracking = None,
) -> None:
    """比较挑战者与现任 · The challenger beside the champion, figure by figure; changes nothing."""
    book = Ledger(ledger)
    registry = Registry(book, tracking, name)
    version = registry.version(challenger)
    champion = registry.champion()
    if champion is None:
        errors.print("尚无现任模型 · no champion yet; promote a first one")
        raise typer.Exit(1)
    decision = _decide(registry, book, champion, version, read_batch(test), margin)
    _show(decision)
    if json_file:
        json_file.write_text(json.dumps(decision.to_json(), ensure_ascii=False, indent=1) + "\n", "utf-8")


def promote(
    test: TestSet,
    challenger: Annotated[str, typer.Argument(help="版本 · version, alias or artifact")] = CHALLENGER,
    margin: Margin = 0.02,
    force: Annotated[
        bool, typer.Option(help="不顾判定（须具名说明）· whatever the verdict; needs --reason")
    ] = False,
    reason: Annotated[str, typer.Option(help="理由，记入日志 · goes into the log")] = "",
    new_test_set: Annotated[
        bool, typer.Option(help="更换冻结的测试集 · decide on this test set from now on")
    ] = False,
    by: Actor = None,
    name: Name = MODEL_NAME,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    tracking: Tracking = None,
) -> None:
    """晋升 · Make the challenger the champion, if it is nowhere worse and somewhere better."""
    book = Ledger(ledger)
    registry = Registry(book, tracking, name)
    version = registry.version(challenger)
    actor = by or getpass.getuser()
    if force and not reason.strip():
        raise typer.BadParameter("say why; it goes into the activation log", param_hint="--reason")
    frozen = read_batch(test)
    problem = None if force else _problem(registry, book, version, frozen, margin, new_test=new_test_set)
    if problem:
        errors.print(f"未晋升 · not promoted: {problem}", markup=False)
        raise typer.Exit(1)
    if registry.test_set() is None or new_test_set:
        registry.freeze_test_set(frozen.sha256)
    registry.promote(version, actor, reason or "比较通过 · won the comparison", forced=force)
    typer.echo(f"{name}@champion = {name}/{version.number}  {version.artifact}")


def _problem(
    registry: Registry, ledger: Ledger, version: Version, test: Batch, margin: float, *, new_test: bool
) -> str | None:
    """Why a version may not be promoted, or None."""
    champion = registry.champion()
    if version.tags.get("validation") == "errors":
        return "训练批次核验有错误 · its batch had validation errors; mend the batch and train again"
    if registry.test_set() not in (None, test.sha256) and not new_test:
        return "测试集不是冻结的那一份 · this is not the frozen test set; give that one, or --new-test-set"
    if champion is None:
        return None
    if champion.number == version.number:
        return "它已是现任 · it is the champion already"
    decision = _decide(registry, ledger, champion, version, test, margin)
    _show(decision)
    content = json.dumps(decision.to_json(), ensure_ascii=False, indent=1) + "\n"
    registry.keep_comparison(version, f"comparison-with-{champion.number}.json", content)
    return None if decision.verdict.promote else "；".join(decision.verdict.reasons)


def roll_back(
    reason: Annotated[str, typer.Option(help="理由，记入日志 · goes into the log")] = "回退 · rolled back",
    by: Actor = None,
    name: Name = MODEL_NAME,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    tracking: Tracking = None,
) -> None:
    """回退到上一任 · Make the champion before this one the champion again."""
    registry = Registry(Ledger(ledger), tracking, name)
    version = registry.roll_back(by or getpass.getuser(), reason)
    typer.echo(f"{name}@champion = {name}/{version.number}  {version.artifact}")


def show_log(ledger: LedgerUrl = DEFAULT_LEDGER) -> None:
    """激活日志 · Which model answered from when on, by whom and why."""
    table = Table()
    for heading in ("时间 Time (UTC)", "对象", "版本", "此前", "经办", "强制", "理由 Reason"):
        table.add_column(heading, overflow="fold")
    for one in activations(Ledger(ledger)):
        moment = one.activated_at.strftime("%Y-%m-%d %H:%M:%S")
        forced = "是 yes" if one.forced else ""
        table.add_row(moment, one.subject, one.version, one.previous or "", one.actor, forced, one.reason)
    console.print(table)


def _records(test: Batch, taxonomy: Taxonomy) -> list[LabelledMessage]:
    records = test_records(test, taxonomy, errors)
    if not records:
        errors.print(f"{test.name}: no usable row; see the lines above", markup=False)
        raise typer.Exit(1)
    return records


def _decide(
    registry: Registry, ledger: Ledger, champion: Version, challenger: Version, test: Batch, margin: float
) -> Decision:
    first, second = registry.locate(champion), registry.locate(challenger)
    taxonomy = Taxonomy.load(second / "taxonomy.yaml")
    seen = seen_by(registry.report(champion), registry.report(challenger))
    feedback = newest_feedback(ledger, taxonomy)
    return decide(first, second, _records(test, taxonomy), feedback, seen, margin)


def _metrics(figures: dict[str, Any]) -> dict[str, float]:
    """Figures on the test set as metrics, each with the ends of its interval."""
    metrics = {"test_n": figures["n"], "test_review_rate": figures["review_rate"]}
    estimates = {"domain_calibration_error": figures["domain_calibration_error"]}
    for decision in ("domain", "tier", "urgency"):
        if told := figures.get(decision):
            estimates |= {f"{decision}_{part}": told[part] for part in ("accuracy", "macro_f1")}
    for name, estimate in estimates.items():
        metrics |= {f"test_{name}": estimate["value"]}
        metrics |= {f"test_{name}_{end}": estimate[end] for end in ("low", "high")}
    return metrics


def _show(decision: Decision) -> None:
    for title, rows in (
        ("冻结测试集 · frozen test set", decision.on_test),
        ("最近反馈 · newest feedback", decision.on_feedback),
    ):
        if rows:
            console.print(_table(f"{title}: {decision.champion} → {decision.challenger}", rows))
    if decision.n_left_out:
        console.print(f"略去训练中见过的 {decision.n_left_out} 条 · records seen in training left out")
    console.print(
        f"{'可以晋升 · may be promoted' if decision.verdict.promote else '不可晋升 · may not be promoted'}"
    )
    for reason in decision.verdict.reasons:
        console.print(f"  {reason}", markup=False, highlight=False)


def _table(title: str, rows: Sequence[Comparison]) -> Table:
    table = Table(title=title)
    for heading in ("项目 Figure", "n", "现任", "挑战者", "差 Difference [95%]", "p"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        told = row.difference
        table.add_row(
            row.name,
            str(row.n),
            f"{row.champion:.3f}",
            f"{row.challenger:.3f}",
            f"{told.value:+.3f} [{told.low:+.3f}, {told.high:+.3f}]",
            "" if row.p is None else f"{row.p:.3f}",
        )
    return table

"""`zhixu train`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from evaluation.ledger import DEFAULT_LEDGER, Ledger
from evaluation.options import LedgerUrl
from evaluation.performance import measure
from models.artifact import Artifact, read_artifact, write_artifact
from models.identifier import Identifier, Knowledge, load_encoder
from models.reference import resolve
from nlp.paths import dataset_path
from nlp.records import LabelledMessage
from nlp.taxonomy import Taxonomy
from training.backbone import BackboneConfig, prepare_backbone
from training.batches import read_batch, test_records
from training.environment import environment
from training.report_page import CurvePoint, report_page
from training.retraining import (
    Lot,
    Reading,
    judge_for,
    labels_of,
    lots_of,
    nested_samples,
    new_lots,
    read_config,
    read_lots,
    seen_keys,
    validate_lots,
)
from training.trainer import TrainingConfig
from training.trainer import train as learn
from training.validation import Limits, ValidationReport
from training.validation_page import show_validation, validation_page
from training.weights import parse_weights

console = Console()
errors = Console(stderr=True)

CURVE_SHARES = (0.125, 0.25, 0.5)


def train(
    data: Annotated[
        list[str],
        typer.Option(
            help="标注批次，可重复：表格、Label Studio JSON、ledger[:日期] · labelled batch, repeatable"
        ),
    ],
    out: Annotated[Path, typer.Option(help="输出目录 · artifact directory")],
    onto: Annotated[
        str | None, typer.Option(help="在此模型的数据上增量训练 · model whose data are kept, the batch added")
    ] = None,
    weigh: Annotated[
        list[str] | None, typer.Option(help="按文件名给批次加权，如 new*=2 · weight of a batch by its name")
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="冻结的测试集：查泄漏、出指标 · frozen test set, never trained on")
    ] = None,
    taxonomy: Annotated[
        str | None,
        typer.Option(help="分类体系文件，或 infer 取自数据 · taxonomy YAML, or `infer` from the labels"),
    ] = None,
    crosswalk: Annotated[
        Path | None, typer.Option(help="自有类别到八领域的对照 · YAML: own label to known domains, for infer")
    ] = None,
    encoder: Annotated[str, typer.Option(help="取其编码器的模型 · model whose encoder is used")] = "default",
    backbone: Annotated[
        str | None, typer.Option(help="预训练骨干：模型名或本地目录 · backbone: hub id or local folder")
    ] = None,
    epochs: Annotated[
        float, typer.Option(min=0, help="骨干微调遍数，0 为不调 · epochs of fine-tuning the backbone")
    ] = 3.0,
    int8: Annotated[bool, typer.Option(help="骨干量化 · quantise the backbone")] = True,
    leave_out: Annotated[
        str | None, typer.Option(help="不学 split 为此的行，如 test · leave out rows of this split")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="训练设置 YAML（含随机种子）· settings of the run, seed included")
    ] = None,
    curve: Annotated[bool, typer.Option(help="另画学习曲线 · also draw a learning curve")] = False,
    validate: Annotated[bool, typer.Option(help="先核验批次 · validate the batch first")] = True,
    despite_errors: Annotated[
        bool, typer.Option(help="有错误仍训练（将不得晋升）· train all the same; it will not be promoted")
    ] = False,
    strict: Annotated[bool, typer.Option(help="有坏行即停 · stop when a row cannot be used")] = False,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """训练模型 · Validate labelled batches, train on them, write an artifact and its report."""
    settings = read_config(config)
    base = read_artifact(resolve(onto)) if onto else None

    def book() -> Ledger:
        return Ledger(ledger)

    earlier = lots_of(base, book) if base else []
    lots = new_lots(data, book, leave_out, parse_weights(weigh or (), "--weigh"))
    known = _taxonomy(taxonomy, crosswalk, [*earlier, *lots], base)
    labels = Taxonomy.from_bytes(known)
    lexicon, vectors = dataset_path("lexicon.tsv").read_bytes(), load_encoder(read_artifact(resolve(encoder)))
    knowledge = Knowledge.assemble(known, lexicon, vectors)
    tested = test_records(read_batch(test), labels, errors) if test else []
    reading = read_lots([*earlier, *lots], labels)
    for name, problem in reading.problems:
        errors.print(f"{name}: {problem}", markup=False, highlight=False)
    if strict and reading.problems:
        raise typer.Exit(1)
    report = _Report(out)
    before = reading.records[: sum(one["n_records"] for one in reading.facts[: len(earlier)])]
    judge = judge_for(labels, onto) if validate else None
    reports = validate_lots(lots, before, tested, knowledge, Limits(), judge) if validate else []
    report.validations(reports)
    stopped = sum(len(one.errors) for one in reports)
    if stopped and not despite_errors:
        errors.print(f"批次有错误，未训练；详见 · errors, nothing trained; see {report.folder}", markup=False)
        raise typer.Exit(1)
    state = out.with_name(f".{out.name}.training")
    facts = {
        "data": reading.facts,
        "onto": base.version if base else None,
        "made_with": environment(),
        "validation": {"checked": bool(reports), "errors": stopped},
    }
    with _progress() as bar:
        if backbone:
            tuned = _backbone(bar, backbone, reading, labels, BackboneConfig(epochs=epochs, int8=int8), out)
            knowledge = Knowledge.assemble(known, lexicon, vectors, tuned)
        files, learned = _learn(bar, "训练 training", reading, knowledge, settings, state)
        points = _curve(bar, reading, knowledge, settings) if curve else []
    version = write_artifact(out, files, learned | facts)
    shutil.rmtree(state, ignore_errors=True)
    shutil.rmtree(_backbone_state(out), ignore_errors=True)
    report.trained(version, learned | facts, _tested(out, tested), points, reading.records)
    typer.echo(f"模型 model {version} -> {out}  ({len(reading.records)} records)")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=errors, transient=True
    )


def _taxonomy(told: str | None, crosswalk: Path | None, lots: Sequence[Lot], base: Artifact | None) -> bytes:
    if told == "infer":
        return labels_of(lots, crosswalk.read_bytes() if crosswalk else None)
    if crosswalk:
        raise typer.BadParameter("only with --taxonomy infer; a taxonomy file says `same_as` itself")
    if told is None and base is not None:
        return base.files["taxonomy.yaml"]
    return (Path(told) if told else dataset_path("taxonomy.yaml")).read_bytes()


def _tested(out: Path, records: list[LabelledMessage]) -> dict[str, Any] | None:
    return measure(Identifier.load(out), records) if records else None


def _backbone_state(out: Path) -> Path:
    return out.with_name(f".{out.name}.backbone")


def _backbone(
    bar: Progress, reference: str, reading: Reading, taxonomy: Taxonomy, config: BackboneConfig, out: Path
) -> dict[str, bytes]:
    task = bar.add_task("微调骨干 fine-tuning")
    return prepare_backbone(
        reference,
        reading.records,
        taxonomy,
        config,
        _backbone_state(out),
        lambda done, of: bar.update(task, completed=done, total=of),
    )


def _learn(
    bar: Progress,
    title: str,
    reading: Reading,
    knowledge: Knowledge,
    config: TrainingConfig,
    state: Path | None,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    task = bar.add_task(title, total=None)
    return learn(
        reading.records,
        knowledge,
        config,
        lambda _step, done, of: bar.update(task, completed=done, total=of),
        reading.counts,
        state,
    )


def _curve(bar: Progress, reading: Reading, knowledge: Knowledge, config: TrainingConfig) -> list[CurvePoint]:
    points = []
    for rows in nested_samples(len(reading.records), CURVE_SHARES, config.seed):
        part = Reading([reading.records[row] for row in rows.tolist()], reading.counts[rows], [], [])
        _, facts = _learn(bar, f"学习曲线 curve {len(rows)}", part, knowledge, config, None)
        points.append(CurvePoint(len(rows), **facts["held_out"]["domain"]["macro_f1"]))
    return points


@dataclass(frozen=True)
class _Report:
    """The folder beside an artifact that tells how it came about."""

    out: Path

    @property
    def folder(self) -> Path:
        return self.out.with_name(f"{self.out.name}.report")

    def validations(self, reports: Sequence[ValidationReport]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for number, report in enumerate(reports, 1):
            show_validation(report, console)
            (self.folder / f"validation-{number}.html").write_text(validation_page(report), "utf-8")
        told = [asdict(report) for report in reports]
        for one in told:
            for finding in one["findings"]:
                finding["places"] = [
                    {"line": place["line"], "told": place["told"]} for place in finding["places"]
                ]
        self._json("validation.json", told)

    def trained(
        self,
        version: str,
        facts: dict[str, Any],
        tested: dict[str, Any] | None,
        curve: Sequence[CurvePoint],
        records: Sequence[LabelledMessage],
    ) -> None:
        pages = sorted(path.name for path in self.folder.glob("validation-*.html"))
        whole = CurvePoint(len(records), **facts["held_out"]["domain"]["macro_f1"])
        points = [*curve, whole] if curve else []
        (self.folder / "report.html").write_text(report_page(version, facts, tested, points, pages), "utf-8")
        (self.folder / "seen.txt").write_text(seen_keys(records), "utf-8")
        self._json(
            "figures.json", {"version": version, "test": tested, "curve": [asdict(one) for one in points]}
        )

    def _json(self, name: str, content: Any) -> None:
        (self.folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")

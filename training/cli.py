"""`zhixu train`: a labelled batch to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from models.artifact import read_artifact, write_artifact
from models.identifier import Knowledge
from models.reference import resolve
from nlp.paths import dataset_path
from nlp.reading import MessageReader
from nlp.records import LabelledMessage
from nlp.tables import RowError, read_rows
from training.trainer import train as learn

errors = Console(stderr=True)


def train(
    data: Annotated[Path, typer.Option(help="标注数据 · labelled batch")],
    out: Annotated[Path, typer.Option(help="输出目录 · artifact directory")],
    taxonomy: Annotated[Path | None, typer.Option(help="分类体系 · taxonomy YAML")] = None,
    encoder: Annotated[str, typer.Option(help="取其编码器的模型 · model whose encoder is used")] = "default",
    strict: Annotated[bool, typer.Option(help="遇错即停 · stop at the first bad row")] = False,
) -> None:
    """训练模型 · Train heads on a labelled batch and write an artifact."""
    base = Knowledge.from_artifact(read_artifact(resolve(encoder)))
    knowledge = Knowledge.assemble(
        (taxonomy or dataset_path("taxonomy.yaml")).read_bytes(),
        dataset_path("lexicon.tsv").read_bytes(),
        base.encoder,
    )
    records: list[LabelledMessage] = []
    for _, record in MessageReader(knowledge.taxonomy).read_labelled(read_rows(data)):
        if isinstance(record, RowError):
            errors.print(f"{data}: {record}", markup=False, highlight=False)
            if strict:
                raise typer.Exit(1)
        else:
            records.append(record)
    with Progress(console=errors, transient=True) as bar:
        task = bar.add_task("训练 training")
        files, facts = learn(
            records, knowledge, progress=lambda _step, done, of: bar.update(task, completed=done, total=of)
        )
    version = write_artifact(out, files, facts)
    typer.echo(f"模型 model {version} -> {out}  ({len(records)} records)")

"""`zhixu dispatch`, `zhixu assign` and `zhixu resources import|export|check`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from matching.assignment import assign as assign_all
from matching.assignment import capacities
from matching.catalogue import Catalogue, load_resources, save_resources
from matching.dispatch import Dispatcher
from matching.matcher import Matcher
from models.identifier import Identifier
from nlp.reading import MessageReader
from nlp.records import Message
from nlp.tables import RowError, check_suffix, read_rows, told_apart, write_rows

errors = Console(stderr=True)

Input = Annotated[Path, typer.Argument(help="输入 · JSONL, CSV, XLSX or Parquet")]
Output = Annotated[Path, typer.Option("-o", "--out", help="输出 · JSONL, CSV, XLSX or Parquet")]
Resources = Annotated[Path, typer.Option(help="资源目录 · resources")]
ModelOption = Annotated[str, typer.Option(help="模型 · model reference")]
Strict = Annotated[bool, typer.Option(help="遇错即停 · stop at the first bad row")]
CatalogueFile = Annotated[
    Path,
    typer.Argument(
        help="资源：JSONL、CSV、XLSX、Parquet，HSDS 3 的 .json 或 CSV 表文件夹 · or HSDS 3 JSON or CSV folder"
    ),
]


def dispatch(
    source: Input,
    out: Output,
    departments: Annotated[Path | None, typer.Option(help="部门目录 · departments with duties")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="至多几个部门 · at most")] = 3,
    model: ModelOption = "default",
    strict: Strict = False,
) -> None:
    """派单 · Messages to the likeliest departments, with reasons."""
    check_suffix(out)
    identifier = Identifier.load(model)
    dispatcher = Dispatcher.load(identifier, departments)
    found = identifier.identify(_messages(source, identifier, strict))
    answers = dispatcher.dispatch(found, k)
    rows = (
        {
            "id": one.id,
            "domain": one.domain,
            "departments": [
                {"id": m.resource_id, "name": m.name, "score": m.score, "reasons": list(m.reasons)}
                for m in answer.matches
            ],
        }
        for one, answer in zip(found, answers, strict=True)
    )
    typer.echo(f"{write_rows(out, rows, ('id', 'domain', 'departments'))} -> {out}")


def assign(
    source: Input,
    resources: Resources,
    out: Output,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="每条考虑几项资源 · considered for each")] = 10,
    model: ModelOption = "default",
    strict: Strict = False,
) -> None:
    """统筹分配 · Many requests to resources at once, under capacity, the pressing first."""
    check_suffix(out)
    identifier = Identifier.load(model)
    catalogue = _catalogue(resources, identifier, strict)
    matcher = Matcher(identifier, catalogue)
    found = identifier.identify_needs(_messages(source, identifier, strict))
    calmest_last = identifier.taxonomy.urgency_ids
    ranks = [len(calmest_last) - 1 - calmest_last.index(one.urgency) if one.urgency else 0 for one in found]
    given = assign_all(matcher.match_primary(found, k=k), capacities(matcher.resources), ranks)
    rows = (
        {
            "id": message.id,
            "urgency": message.urgency,
            "resource_id": one.match.resource_id if one.match else None,
            "name": one.match.name if one.match else None,
            "score": one.match.score if one.match else None,
            "no_fit": one.match is None and not one.crowded_out,
            "crowded_out": one.crowded_out,
        }
        for message, one in zip(found, given, strict=True)
    )
    columns = ("id", "urgency", "resource_id", "name", "score", "no_fit", "crowded_out")
    typer.echo(f"{write_rows(out, rows, columns)} -> {out}")


def import_resources(
    source: CatalogueFile, out: Output, model: ModelOption = "default", strict: Strict = False
) -> None:
    """导入资源 · Read resources of any format, check them and write a catalogue; bad rows are named and left out."""
    check_suffix(out)
    catalogue = _catalogue(source, Identifier.load(model), strict)
    save_resources(out, catalogue.resources)
    typer.echo(f"{len(catalogue.resources)} -> {out}")


def export_resources(
    source: CatalogueFile,
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", help="输出：表文件，HSDS 3 的 .json 或文件夹 · a table, HSDS 3 .json or a folder"
        ),
    ],
    model: ModelOption = "default",
    strict: Strict = False,
) -> None:
    """导出资源 · Write resources as HSDS 3 JSON, as its CSV tables, or as a table."""
    catalogue = _catalogue(source, Identifier.load(model), strict)
    save_resources(out, catalogue.resources)
    typer.echo(f"{len(catalogue.resources)} -> {out}")


def check_resources(source: CatalogueFile, model: ModelOption = "default") -> None:
    """核对资源 · Name every bad row; exit code 1 where there is one."""
    taxonomy = Identifier.load(model).taxonomy
    catalogue, problems = load_resources(source, taxonomy)
    for problem in problems:
        typer.echo(f"{source}: {problem}")
    typer.echo(f"{len(catalogue.resources)} 项可用 usable, {len(problems)} 项有误 bad; {catalogue.version}")
    if problems:
        raise typer.Exit(1)


def _catalogue(path: Path, identifier: Identifier, strict: bool) -> Catalogue:
    catalogue, problems = load_resources(path, identifier.taxonomy)
    _name(path, problems, strict)
    return catalogue


def _messages(path: Path, identifier: Identifier, strict: bool) -> list[Message]:
    messages, bad = told_apart(MessageReader(identifier.taxonomy).read(read_rows(path)))
    _name(path, bad, strict)
    return messages


def _name(path: Path, problems: Sequence[RowError], strict: bool) -> None:
    for problem in problems:
        errors.print(f"{path}: {problem}", markup=False, highlight=False, soft_wrap=True)
    if problems and strict:
        raise typer.Exit(1)

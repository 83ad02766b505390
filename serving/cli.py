"""`zhixu serve`, `zhixu classify` and `zhixu match`."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evaluation.ledger import Ledger
from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.records import Request
from models.identifier import Identifier
from models.records import Identification
from nlp.reading import MessageReader
from nlp.records import Message
from nlp.tables import RowError, check_suffix, count_rows, read_rows, to_json, write_problems, write_rows
from serving.answers import (
    CLASSIFY_COLUMNS,
    MATCH_COLUMNS,
    explanation_rows,
    identification_row,
    matching_row,
    review_reasons,
)
from serving.settings import Settings

errors = Console(stderr=True)
_BATCH = 1000

Input = Annotated[Path, typer.Argument(help="输入 · JSONL, CSV, XLSX or Parquet")]
Output = Annotated[Path, typer.Option("-o", "--out", help="输出 · JSONL, CSV, XLSX or Parquet")]
ModelOption = Annotated[str, typer.Option(help="模型 · model reference")]
Strict = Annotated[bool, typer.Option(help="遇错即停 · stop at the first bad row")]
LedgerOption = Annotated[str | None, typer.Option(help="记录库 · ledger URL; `none` writes none")]


def serve(
    host: Annotated[str, typer.Option(help="监听地址 · address")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="端口 · port")] = 8000,
    log_level: Annotated[str, typer.Option(help="日志级别 · INFO logs every request")] = "INFO",
) -> None:
    """启动服务 · Start the API."""
    from evaluation.keys import list_keys
    from serving.app import create_app
    from serving.log import log_as_json
    from serving.server import Server
    from serving.tracing import trace

    settings = Settings()
    ledger = None if settings.ledger == "none" else Ledger(settings.ledger)
    if not _is_loopback(host) and not (
        ledger and any(key.valid(datetime.now(UTC)) for key in list_keys(ledger))
    ):
        errors.print(
            "没有密钥时只监听本机，请先 `zhixu keys create` · without keys the service listens on loopback only; "
            "create one with `zhixu keys create`"
        )
        raise typer.Exit(1)
    identifier = Identifier.load(settings.model)
    catalogue, problems = Catalogue.load(identifier.taxonomy, settings.resources)
    for problem in problems:
        errors.print(f"resources: {problem}", markup=False)
    app = create_app(settings, identifier, Matcher(identifier, catalogue), ledger)
    trace(app)
    typer.echo(
        f"知需 Zhixu http://{host}:{port}  文档 docs: /docs\n\n试一试 Try:\n"
        f"curl -s http://{host}:{port}/v1/classify -H 'Content-Type: application/json' "
        """-d '{"source":"hotline","district":"南桥区","text":"我家老人八十多了一个人住，停水两天了"}'\n"""
    )
    log_as_json(log_level)
    Server(app, settings, host, port).run()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def classify(
    source: Input,
    out: Output,
    model: ModelOption = "default",
    strict: Strict = False,
    explain: Annotated[bool, typer.Option(help="附每个词的分量 · add each word's weight")] = False,
    ledger: LedgerOption = None,
    engine: Annotated[
        str, typer.Option(help="本机或 Ray · `local`, or `ray` for a backlog of millions (writes no ledger)")
    ] = "local",
    workers: Annotated[int, typer.Option(min=1, help="Ray 的进程数 · processes of the `ray` engine")] = 2,
) -> None:
    """识别诉求 · Messages to needs; an interrupted run goes on where it stopped."""
    if engine not in ("local", "ray"):
        raise typer.BadParameter("local or ray", param_hint="--engine")
    if engine == "ray":
        if explain or ledger not in (None, "none"):
            raise typer.BadParameter(
                "the ray engine neither explains nor writes a ledger", param_hint="--engine"
            )
        from serving.backlog import classify_backlog

        count, n_bad = classify_backlog(source, out, model, workers, strict)
        if n_bad:
            errors.print(
                f"{n_bad} 行未处理，见 · rows left out, listed in {out.name}.errors.jsonl", markup=False
            )
        typer.echo(f"{count} -> {out}")
        return
    identifier = Identifier.load(model)
    run = _Run(source, out, f"classify {identifier.version}{' explained' * explain}", strict)
    book = _ledger(ledger)

    def answer(messages: list[Message]) -> Iterator[dict[str, Any]]:
        found = identifier.identify(messages)
        if book:
            book.record(found)
        if not explain:
            yield from map(identification_row, found)
            return
        for one, why in zip(found, identifier.explain(messages), strict=True):
            more = {"review_reasons": review_reasons(one), "explanation": explanation_rows(why)}
            yield identification_row(one) | more

    more_columns = ("review_reasons", "explanation") if explain else ()
    run.go(MessageReader(identifier.taxonomy), answer, (*CLASSIFY_COLUMNS, *more_columns))


def match(
    source: Input,
    resources: Annotated[Path, typer.Option(help="资源目录 · resources")],
    out: Output,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="至多几条 · at most")] = 5,
    model: ModelOption = "default",
    strict: Strict = False,
    ledger: LedgerOption = None,
    explain_refusals: Annotated[
        bool, typer.Option(help="附最相近而不可用的资源及原因 · add the nearest resources that rules forbid")
    ] = False,
) -> None:
    """匹配资源 · Requests to ranked resources, `no_fit` where nothing fits."""
    identifier = Identifier.load(model)
    catalogue, problems = Catalogue.load(identifier.taxonomy, resources)
    for problem in problems:
        errors.print(f"{resources}: {problem}", markup=False, highlight=False)
    if problems and strict:
        raise typer.Exit(1)
    matcher = Matcher(identifier, catalogue)
    explained = " with refusals" * explain_refusals
    run = _Run(source, out, f"match {matcher.version} {k}{explained}", strict)
    book = _ledger(ledger)

    def answer(messages: list[Message]) -> Iterator[dict[str, Any]]:
        found: list[Identification] = identifier.identify_needs(messages)
        matchings = matcher.match_primary(found, k=k)
        if book:
            book.record(found, matchings)
        if not explain_refusals:
            yield from (matching_row(one.id, given) for one, given in zip(found, matchings, strict=True))
            return
        refused = matcher.nearest_refused(
            [Request(one, one.needs[0], one.prepared.district) for one in found]
        )
        for one, given, why in zip(found, matchings, refused, strict=True):
            yield matching_row(one.id, given) | {"refused": [asdict(refusal) for refusal in why]}

    columns = (*MATCH_COLUMNS, "refused") if explain_refusals else MATCH_COLUMNS
    run.go(MessageReader(identifier.taxonomy), answer, columns)


def _ledger(url: str | None) -> Ledger | None:
    url = url or Settings().ledger
    return None if url == "none" else Ledger(url)


class _Run:
    """One pass over a file, kept in a journal beside the output so that it can be resumed."""

    def __init__(self, source: Path, out: Path, task: str, strict: bool) -> None:
        check_suffix(out)
        self._source, self._out, self._strict = source, out, strict
        self._journal = out.with_name(f".{out.name}.journal")
        self._task = task

    def go(self, reader: MessageReader, answer: Any, columns: tuple[str, ...]) -> None:
        rows = reader.read(read_rows(self._source))
        mark = to_json({"task": self._task, "input": _fingerprint(self._source)})
        done = self._resume(mark)
        bad: list[RowError] = []
        with (
            self._journal.open("a", encoding="utf-8") as journal,
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=errors,
            ) as bar,
        ):
            if journal.tell() == 0:
                journal.write(mark + "\n")
                journal.flush()
            task = bar.add_task(self._task.split()[0], total=count_rows(self._source))
            while block := list(islice(rows, _BATCH)):
                for _, row in block:
                    if isinstance(row, RowError):
                        bad.append(row)
                        bar.console.print(f"{self._source}: {row}", markup=False, highlight=False)
                        if self._strict:
                            raise typer.Exit(1)
                messages = [row for _, row in block if isinstance(row, Message)]
                fresh = messages[min(done, len(messages)) :]
                done -= len(messages) - len(fresh)
                for line in answer(fresh) if fresh else ():
                    journal.write(to_json(line) + "\n")
                journal.flush()
                bar.advance(task, len(block))
        self._finish(columns, bad)

    def _resume(self, mark: str) -> int:
        """How many answers an earlier run of the same task left; a torn last line is dropped."""
        if not self._journal.exists():
            return 0
        lines = self._journal.read_text("utf-8").splitlines(keepends=True)
        if not lines or lines[0].rstrip("\n") != mark:
            self._journal.unlink()
            return 0
        whole = [line for line in lines if line.endswith("\n")]
        self._journal.write_text("".join(whole), "utf-8")
        if len(whole) > 1:
            errors.print(f"接着上次 · going on after {len(whole) - 1} messages")
        return len(whole) - 1

    def _finish(self, columns: tuple[str, ...], bad: list[RowError]) -> None:
        def answers() -> Iterator[dict[str, Any]]:
            with self._journal.open(encoding="utf-8") as lines:
                next(lines)
                for line in lines:
                    yield json.loads(line)

        count = write_rows(self._out, answers(), columns)
        self._journal.unlink()
        problems = write_problems(self._out, bad)
        if bad:
            errors.print(f"{len(bad)} 行未处理，见 · rows left out, listed in {problems}", markup=False)
        typer.echo(f"{count} -> {self._out}")


def _fingerprint(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

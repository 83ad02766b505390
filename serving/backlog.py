"""A backlog of millions of messages on Ray Data, resumable by partition.

The input is cut into partitions of `PARTITION` messages in a folder beside the output, which every worker must reach
(one machine, or a shared file system). A partition whose answers are there is not answered again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from models.identifier import Identifier
from nlp.extras import require
from nlp.reading import MessageReader
from nlp.records import Message
from nlp.tables import RowError, check_suffix, read_rows, to_json, write_problems, write_rows
from serving.answers import CLASSIFY_COLUMNS, identification_row

PARTITION = 5_000
_BATCH = 500


class BacklogError(ValueError):
    """A backlog that cannot be answered, with the remedy."""


def classify_backlog(
    source: Path, out: Path, model: str = "default", workers: int = 2, strict: bool = False
) -> tuple[int, int]:
    """Answer every message of `source` into `out`; returns how many were answered and how many rows were bad.

    Raises BacklogError at a bad row when `strict`, MissingExtraError without the extra `ray`.
    """
    check_suffix(out)
    data = require("ray.data", "ray")
    identifier = Identifier.load(model)
    folder = _folder(source, out, identifier.version)
    partitions, bad = _cut(folder, source, MessageReader(identifier.taxonomy), strict)
    open_ones = [path for path in partitions if not _answers(path).exists()]
    if open_ones:
        listed = data.from_items(
            [{"partition": str(path)} for path in open_ones], override_num_blocks=len(open_ones)
        )
        listed.map_batches(
            AnswerPartition,
            fn_constructor_args=(model,),
            batch_size=1,
            concurrency=min(workers, len(open_ones)),
            num_cpus=1,
        ).materialize()
    count = write_rows(out, _joined(partitions), CLASSIFY_COLUMNS)
    write_problems(out, bad)
    shutil.rmtree(folder)
    return count, len(bad)


class AnswerPartition:
    """A Ray Data worker: holds one identifier, answers one partition after another."""

    def __init__(self, model: str) -> None:
        self._identifier = Identifier.load(model)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Answer the partitions a batch names; an answer file appears whole or not at all."""
        for name in batch["partition"]:
            path = Path(str(name))
            draft = _answers(path).with_suffix(".draft")
            with path.open(encoding="utf-8") as lines, draft.open("w", encoding="utf-8") as answers:
                messages = (Message(**json.loads(line)) for line in lines)
                while block := list(islice(messages, _BATCH)):
                    for one in self._identifier.identify(block):
                        answers.write(to_json(identification_row(one)) + "\n")
            draft.replace(_answers(path))
        return batch


def _folder(source: Path, out: Path, version: str) -> Path:
    with source.open("rb") as stream:
        mark = f"{hashlib.file_digest(stream, 'sha256').hexdigest()} {version} {PARTITION}"
    folder = out.resolve().with_name(f".{out.name}.partitions")
    if folder.exists() and (folder / "mark").read_text("utf-8") != mark:
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    (folder / "mark").write_text(mark, "utf-8")
    return folder


def _cut(
    folder: Path, source: Path, reader: MessageReader, strict: bool
) -> tuple[list[Path], list[RowError]]:
    """The partitions of a source, written once, and its bad rows."""
    bad: list[RowError] = []
    rows = _good(reader, source, bad, strict)
    partitions: list[Path] = []
    while block := list(islice(rows, PARTITION)):
        path = folder / f"{len(partitions):06d}.jsonl"
        if not path.exists():
            draft = path.with_suffix(".cut")
            draft.write_text("".join(to_json(_plain(message)) + "\n" for message in block), "utf-8")
            draft.replace(path)
        partitions.append(path)
    return partitions, bad


def _good(reader: MessageReader, source: Path, bad: list[RowError], strict: bool) -> Iterator[Message]:
    for _, row in reader.read(read_rows(source)):
        if isinstance(row, Message):
            yield row
        elif strict:
            raise BacklogError(f"{source}: {row}")
        else:
            bad.append(row)


def _plain(message: Message) -> dict[str, Any]:
    return {
        "text": message.text, "id": message.id, "source": message.source, "title": message.title, "district": message.district,
    }  # fmt: skip


def _answers(partition: Path) -> Path:
    return partition.with_suffix(".answers")


def _joined(partitions: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for partition in partitions:
        with _answers(partition).open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

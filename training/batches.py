"""Labelled batches: a table, a Label Studio export, or the labels people gave in the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from evaluation.labels import newest_labels
from evaluation.ledger import Ledger
from nlp.paths import dataset_path
from nlp.reading import MessageReader
from nlp.records import LabelledMessage
from nlp.tables import NumberedRow, RowError, TableError, read_rows, to_json, told_apart
from nlp.taxonomy import Taxonomy
from training.label_studio import read_annotations

LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Batch:
    """One labelled batch as read: its rows with their line numbers, and a SHA-256 of what was read."""

    name: str
    rows: tuple[NumberedRow, ...]
    sha256: str

    def read(self, taxonomy: Taxonomy) -> list[tuple[int, LabelledMessage | RowError]]:
        """Records and row errors in order, labels checked against `taxonomy`."""
        return list(MessageReader(taxonomy).read_labelled(self.rows))


def read_batch(
    reference: str, ledger: Callable[[], Ledger] | None = None, leave_out: str | None = None
) -> Batch:
    """The batch a reference names: a file, `ledger`, or `ledger:2026-11-01` for labels from that day on.

    A `.json` file is a Label Studio export, of which the newest annotation of a task counts; the name of a shipped
    dataset stands for itself. Rows whose `split` is `leave_out` are left out. Raises TableError when it cannot be
    read as a whole.
    """
    kind, _, since = reference.partition(":")
    if kind == LEDGER and not Path(reference).exists():
        if ledger is None:
            raise TableError("no ledger is configured; give --ledger with its URL")
        return _from_ledger(reference, ledger(), since)
    path = _locate(reference)
    if path.suffix.lower() == ".json":
        rows: Iterator[NumberedRow] = _newest(read_annotations(path))
    else:
        rows = read_rows(path)
    kept = tuple(
        (line, row)
        for line, row in rows
        if leave_out is None or isinstance(row, RowError) or row.get("split") != leave_out
    )
    digest = hashlib.sha256(path.read_bytes())
    if leave_out:
        digest.update(leave_out.encode())
    return Batch(reference, kept, digest.hexdigest())


def test_records(batch: Batch, taxonomy: Taxonomy, errors: Console) -> list[LabelledMessage]:
    """The usable records of a batch to measure on; rows that cannot be used are named on `errors`."""
    records, bad = told_apart(batch.read(taxonomy))
    for problem in bad:
        errors.print(f"{batch.name}: {problem}", markup=False, highlight=False)
    return records


def _locate(reference: str) -> Path:
    path = Path(reference).expanduser()
    if not path.exists() and (path.parent == Path(".") or path.parts[0] == "datasets"):
        try:
            return dataset_path(path.name)
        except FileNotFoundError:
            return path
    return path


def _newest(rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
    newest: dict[int, NumberedRow] = {}
    for line, row in rows:
        newest[line] = (line, row)
    return iter(newest.values())


def _from_ledger(reference: str, ledger: Ledger, since: str) -> Batch:
    try:
        start = datetime.fromisoformat(since).replace(tzinfo=UTC) if since else None
    except ValueError:
        raise TableError(f"{reference}: {since!r} is no date; write ledger:2026-11-01") from None
    rows = tuple((line, dict(row)) for line, row in enumerate(newest_labels(ledger, start), 1))
    digest = hashlib.sha256("\n".join(to_json(row) for _, row in rows).encode("utf-8", "surrogatepass"))
    present = tuple(
        (line, {name: cell for name, cell in row.items() if cell not in (None, [])}) for line, row in rows
    )
    return Batch(reference, present, digest.hexdigest())

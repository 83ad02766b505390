"""Tables: JSONL, CSV, XLSX and Parquet files as rows with their line numbers, in a stream."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

Row = dict[str, Any]
SUFFIXES = (".jsonl", ".csv", ".xlsx", ".parquet")
_MAX_XLSX_ROWS = 1_048_576
_XLSX_ILLEGAL = dict.fromkeys((*range(9), 11, 12, *range(14, 32)))


class TableError(ValueError):
    """A file that cannot be read or written as a table, with the remedy."""


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that cannot be used: its line in the file (the header is line 1) and what to mend."""

    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


NumberedRow = tuple[int, Row | RowError]
Read = TypeVar("Read")


def told_apart(read: Iterable[tuple[int, Read | RowError]]) -> tuple[list[Read], list[RowError]]:
    """What could be read and the errors of the rows that could not, each in order."""
    good: list[Read] = []
    bad: list[RowError] = []
    for _, one in read:
        if isinstance(one, RowError):
            bad.append(one)
        else:
            good.append(one)
    return good, bad


def check_suffix(path: Path) -> str:
    """The file's kind by its ending. Raises TableError when it is none of `SUFFIXES`."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise TableError(f"{path}: ending {suffix or 'none'!r}; give one of {', '.join(SUFFIXES)}")
    return suffix


def read_rows(path: Path) -> Iterator[NumberedRow]:
    """Rows of a file in order, each with its line number; a row that cannot be read comes as a RowError.

    JSONL is UTF-8; CSV may be UTF-8 or GB 18030. Empty cells and NaN are left out of a row.
    Raises TableError when the file as a whole cannot be read.
    """
    reader = {".jsonl": _read_jsonl, ".csv": _read_csv, ".xlsx": _read_xlsx, ".parquet": _read_parquet}
    suffix = check_suffix(path)
    if not path.is_file():
        raise TableError(f"{path}: no such file")
    yield from reader[suffix](path)


def count_rows(path: Path) -> int | None:
    """About how many rows a file holds, for a progress bar; None where only reading would tell."""
    suffix = check_suffix(path)
    if suffix == ".parquet":
        import pyarrow.parquet as parquet

        return int(parquet.ParquetFile(path).metadata.num_rows)
    if suffix == ".xlsx":
        return None
    with path.open("rb") as stream:
        lines = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    return max(lines - (suffix == ".csv"), 0)


def _read_jsonl(path: Path) -> Iterator[NumberedRow]:
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if not raw.strip():
                continue
            try:
                row = json.loads(raw.decode("utf-8"))
            except UnicodeDecodeError as error:
                yield number, RowError(number, f"byte {error.start + 1} is not UTF-8; save the file as UTF-8")
                continue
            except (ValueError, RecursionError) as error:
                place = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
                yield number, RowError(number, f"not JSON{place}; one object a line is expected")
                continue
            if not isinstance(row, dict):
                yield number, RowError(number, "not a JSON object; one object a line is expected")
            else:
                yield number, _present(row)


def _read_csv(path: Path) -> Iterator[NumberedRow]:
    encoding = _csv_encoding(path)
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as stream:
        reader = csv.reader(line.replace("\0", "\ufffd") for line in stream)
        header: list[str] | None = None
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield start, RowError(start, f"not CSV ({error}); quote the cell or split the file")
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                _check_header(header, path)
            elif not any(cells):
                continue
            elif any("\udc80" <= character <= "\udcff" for cell in cells for character in cell):
                yield (
                    start,
                    RowError(start, "bytes that are neither UTF-8 nor GB 18030; save the file as UTF-8"),
                )
            elif len(cells) > len(header):
                yield (
                    start,
                    RowError(
                        start, f"{len(cells)} cells under {len(header)} columns; quote commas inside text"
                    ),
                )
            else:
                yield start, _present(dict(zip(header, cells, strict=False)))


def _csv_encoding(path: Path) -> str:
    """UTF-8 unless the file only decodes as GB 18030, the encoding spreadsheets save Chinese in."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            with path.open(encoding=encoding) as stream:
                for _ in iter(lambda: stream.read(1 << 20), ""):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    return "utf-8-sig"


def _read_xlsx(path: Path) -> Iterator[NumberedRow]:
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl passes on zipfile, XML and key errors alike
        raise TableError(
            f"{path}: not an XLSX workbook ({type(error).__name__}); save it as .xlsx again"
        ) from None
    with closing(book):
        rows = book.worksheets[0].iter_rows(values_only=True)
        header = ["" if cell is None else str(cell).strip() for cell in next(rows, ())]
        _check_header(header, path)
        for number, cells in enumerate(rows, 2):
            if row := _present({name: cell for name, cell in zip(header, cells, strict=False) if name}):
                yield number, row


def _read_parquet(path: Path) -> Iterator[NumberedRow]:
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path)
    except pyarrow.ArrowException as error:
        raise TableError(f"{path}: not a Parquet file ({type(error).__name__}); write it again") from None
    with closing(file):
        _check_header(file.schema_arrow.names, path)
        number = 1
        for batch in file.iter_batches(batch_size=4096):
            for row in batch.to_pylist():
                yield number, _present(row)
                number += 1


def _check_header(header: Sequence[str], path: Path) -> None:
    named = [name for name in header if name]
    if not named:
        raise TableError(f"{path}: no header; the first line must name the columns")
    if repeated := sorted({name for name in named if named.count(name) > 1}):
        raise TableError(f"{path}: column {repeated[0]!r} stands twice; rename one")


def _present(row: Mapping[str, Any]) -> Row:
    def empty(value: Any) -> bool:
        return value is None or value == "" or (isinstance(value, float) and math.isnan(value))

    return {name: value for name, value in row.items() if not empty(value)}


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    """Write rows to a file of any kind, whole or not at all; returns how many.

    Lists and objects keep their shape in JSONL and become JSON text in the cells of the other kinds.
    """
    writer = {".jsonl": _write_jsonl, ".csv": _write_csv, ".xlsx": _write_xlsx, ".parquet": _write_parquet}
    suffix = check_suffix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.writing{suffix}")
    try:
        count = writer[suffix](staging, rows, columns)
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)
    return count


def write_problems(out: Path, bad: Sequence[RowError]) -> Path:
    """Write the rows left out beside an output, or take away what an earlier run left there; returns the place."""
    path = out.with_name(f"{out.name}.errors.jsonl")
    if bad:
        write_rows(path, ({"line": row.line, "problem": row.problem} for row in bad), ("line", "problem"))
    else:
        path.unlink(missing_ok=True)
    return path


def to_json(row: Mapping[str, Any]) -> str:
    """A row as one line of JSON."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=str)


def _write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(to_json({name: row.get(name) for name in columns}) + "\n")
            count += 1
    return count


def _flat(row: Mapping[str, Any], columns: Sequence[str]) -> list[Any]:
    def flat(value: Any) -> Any:
        return to_json_cell(value) if isinstance(value, list | dict | tuple) else value

    return [flat(row.get(name)) for name in columns]


def to_json_cell(value: Any) -> str:
    """A list or object as the text of one cell."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_inert(cell) for cell in _flat(row, columns)])
            count += 1
    return count


def _inert(cell: Any) -> Any:
    """Text a spreadsheet would run as a formula, made plain (OWASP, "CSV injection")."""
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "@", "\t", "\r") else cell


def _write_xlsx(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("zhixu")
    sheet.freeze_panes = "A2"
    sheet.append(list(columns))
    count = 0
    for row in rows:
        if count + 2 > _MAX_XLSX_ROWS:
            raise TableError(f"more than {_MAX_XLSX_ROWS - 1:,} rows do not fit XLSX; write .csv or .parquet")
        cells = (
            cell.translate(_XLSX_ILLEGAL)[:32767] if isinstance(cell, str) else cell
            for cell in _flat(row, columns)
        )
        sheet.append([_inert(cell) for cell in cells])
        count += 1
    book.save(path)
    return count


def _write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    import pyarrow
    import pyarrow.parquet as parquet

    iterator = iter(rows)
    writer: parquet.ParquetWriter | None = None
    count = 0
    try:
        while block := list(islice(iterator, 8192)):
            content = [dict(zip(columns, _flat(row, columns), strict=True)) for row in block]
            table = pyarrow.Table.from_pylist(content, schema=writer.schema if writer else None)
            if writer is None:
                table = table.cast(pyarrow.schema([_typed(field) for field in table.schema]))
                writer = parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
            count += len(block)
        if writer is None:
            parquet.write_table(
                pyarrow.table({name: pyarrow.array([], pyarrow.string()) for name in columns}), path
            )
    finally:
        if writer:
            writer.close()
    return count


def _typed(field: Any) -> Any:
    """A column that is empty so far is taken for text."""
    import pyarrow

    return field.with_type(pyarrow.string()) if pyarrow.types.is_null(field.type) else field

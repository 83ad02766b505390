import csv
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp.tables import SUFFIXES, Row, RowError, TableError, read_rows, write_rows

ROWS: list[dict[str, Any]] = [
    {"id": "1", "text": "停水，三天了\n没人管", "needs": [{"domain": "x"}]},
    {"id": "2", "text": "二号", "needs": []},
]


def read(path: Path) -> list[Row | RowError]:
    return [row for _, row in read_rows(path)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    assert write_rows(path, ROWS, ("id", "text", "tier")) == 2
    assert read(path) == [{"id": row["id"], "text": row["text"]} for row in ROWS]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_table_can_be_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"none{suffix}"
    assert write_rows(path, [], ("id",)) == 0
    assert read(path) == []


def test_a_column_empty_in_the_first_block_may_be_filled_later(tmp_path: Path) -> None:
    path = tmp_path / "late.parquet"
    rows = [{"id": str(n), "tier": None if n < 9000 else "basic", "needs": []} for n in range(9001)]
    write_rows(path, rows, ("id", "tier", "needs"))
    assert read(path)[-1] == {"id": "9000", "tier": "basic", "needs": "[]"}


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_rows(path, ROWS, ("id",))
    before = path.read_bytes()

    def broken() -> Any:
        yield ROWS[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_rows(path, broken(), ("id",))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_bad_jsonl_lines_are_named_and_the_others_read(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"text":"a"}\n{"text":\n[1]\n\n{"text":"\xff"}\n' + b"[" * 100_000 + b'\n{"text":NaN}\n'
    )
    rows = dict(read_rows(path))
    assert rows[1] == {"text": "a"}
    assert {line for line, row in rows.items() if isinstance(row, RowError)} == {2, 3, 5, 6}
    assert rows[7] == {}


def test_csv_in_gb18030_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes("text,id\n路灯坏了,1\n".encode("gb18030"))
    assert read(path) == [{"text": "路灯坏了", "id": "1"}]


def test_csv_lines_count_every_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('id,text\n1,"两\n行"\n2,a,b\n3,c\n', "utf-8")
    rows = dict(read_rows(path))
    assert rows[2] == {"id": "1", "text": "两\n行"}
    assert isinstance(rows[4], RowError)
    assert rows[5] == {"id": "3", "text": "c"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.xlsx", b"not a workbook"),
        ("x.parquet", b"not parquet"),
        ("x.csv", b""),
        ("x.csv", b"a,a\n1,2\n"),
        ("x.docx", b""),
    ],
)
def test_files_that_are_no_table_say_so(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    if name == "x.csv" and not content:
        assert read(path) == []
        return
    with pytest.raises(TableError, match=name):
        read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file"):
        read(tmp_path / "gone.jsonl")


@pytest.mark.parametrize("formula", ["=1+1", "+1", "@SUM(A1)", "\t=1"])
def test_spreadsheets_do_not_run_what_residents_wrote(tmp_path: Path, formula: str) -> None:
    path = tmp_path / "out.csv"
    write_rows(path, [{"text": formula}], ("text",))
    with path.open(encoding="utf-8-sig", newline="") as stream:
        assert list(csv.reader(stream))[1][0].startswith("'")


@given(st.lists(st.fixed_dictionaries({"text": st.text(min_size=1), "n": st.integers(-9, 9)}), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_survives_jsonl(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = tmp_path / "any.jsonl"
    write_rows(path, rows, ("text", "n"))
    assert read(path) == rows


def test_nan_counts_as_absent(tmp_path: Path) -> None:
    path = tmp_path / "nan.parquet"
    write_rows(path, [{"text": "a", "score": math.nan}], ("text", "score"))
    assert read(path) == [{"text": "a"}]

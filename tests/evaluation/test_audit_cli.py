from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from evaluation.accuracy import Books
from evaluation.audit_sheets import JudgementReader
from evaluation.labels import newest_labels
from evaluation.periods import Period
from evaluation.settling import agreements, audit_statuses
from nlp.tables import RowError, read_rows, write_rows
from nlp.taxonomy import Taxonomy
from zhixu import build

RUN = CliRunner()


@pytest.fixture
def drawn(found_town: Callable, tmp_path: Path):
    town = found_town(n=600)
    out = tmp_path / "audits"
    days = ["--from", "2026-09-07", "--to", "2026-09-13"]
    result = RUN.invoke(
        build(),
        ["audit", "draw", "--precision", "0.08", *days, "--ledger", town.ledger.url, "-o", str(out)],
    )
    assert result.exit_code == 0, result.output
    return town, out


def fill(path: Path, town, wrong: int = 0) -> Path:
    """Fill a sheet with the truth in Chinese names, but for the first `wrong` rows."""
    taxonomy = Taxonomy.load()
    book = load_workbook(path)
    sheet = book.active
    heads = {cell.value: cell.column for cell in sheet[1]}
    for number in range(2, sheet.max_row + 1):
        domain = town.truth[sheet.cell(number, heads["编号"]).value]
        if number - 2 < wrong:
            domain = next(one for one in taxonomy.need_ids if one != domain)
        sheet.cell(number, heads["领域"]).value = taxonomy.name(domain)
        if domain != taxonomy.none_id:
            sheet.cell(number, heads["层级"]).value = taxonomy.name(taxonomy.tier_ids[0])
        sheet.cell(number, heads["紧急程度"]).value = taxonomy.name(taxonomy.urgency_ids[-1])
        if sheet.cell(number, heads["首个推荐资源"]).value:
            sheet.cell(number, heads["匹配结果"]).value = "采纳"
    book.save(path)
    return path


def test_the_sheets_hide_what_was_predicted(drawn) -> None:
    _, out = drawn
    rows = [row for _, row in read_rows(out / "audit-20260907-1.xlsx")]
    assert rows
    for row in rows:
        assert set(row) <= {"编号", "来源", "辖区", "正文", "首个推荐资源"}


def test_an_audit_goes_from_draw_to_figure(drawn) -> None:
    town, out = drawn
    first = fill(out / "audit-20260907-1.xlsx", town)
    second = fill(out / "audit-20260907-2.xlsx", town, wrong=5)
    options = ["--ledger", town.ledger.url, "-o", str(out)]
    told = RUN.invoke(
        build(),
        ["audit", "import", "audit-20260907", str(first), str(second), "--names", "li,wang", *options],
    )
    assert told.exit_code == 0, told.output
    assert "分歧 5 条" in told.output
    n_cases = len(list(read_rows(first)))
    assert audit_statuses(town.ledger)[0].settled == n_cases - 5
    kept = {one.question: one for one in agreements(town.ledger, "audit-20260907")}
    assert kept["domain"].n == n_cases
    assert kept["domain"].share == pytest.approx(1 - 5 / n_cases)

    differences = out / "audit-20260907-settle.xlsx"
    shown = [row for _, row in read_rows(differences)]
    assert len(shown) == 5
    assert all(row["li"] != row["wang"] for row in shown)
    fill(differences, town)
    told = RUN.invoke(
        build(),
        [
            "audit",
            "settle",
            "audit-20260907",
            str(differences),
            "--name",
            "zhao",
            "--ledger",
            town.ledger.url,
        ],
    )
    assert told.exit_code == 0, told.output
    assert audit_statuses(town.ledger)[0].settled == n_cases
    figure = Books.open(town.ledger, Period()).figure("domain")
    assert figure.n_audited == n_cases
    assert Books.open(town.ledger, Period()).figure("match_accepted").audited.value == 1.0

    batch = {row["id"]: row["domain"] for row in newest_labels(town.ledger, origins=["audit"])}
    assert batch == {key: town.truth[key] for key in batch}
    assert len(batch) == n_cases

    told = RUN.invoke(
        build(),
        ["audit", "trail", "--measure", "domain", "-o", str(out / "trail.csv"), "--ledger", town.ledger.url],
    )
    assert told.exit_code == 0, told.output
    assert f"{figure.audited.value:.4f}" in told.output
    assert "model-a" in told.output
    told = RUN.invoke(build(), ["audit", "list", "--ledger", town.ledger.url])
    assert "audit-20260907" in told.output


def test_one_bad_row_keeps_the_whole_sheet_out(drawn, tmp_path: Path) -> None:
    town, out = drawn
    first = fill(out / "audit-20260907-1.xlsx", town)
    bad = tmp_path / "bad.jsonl"
    key = next(row["编号"] for _, row in read_rows(first))
    write_rows(bad, [{"编号": key, "领域": "星际"}], ["编号", "领域"])
    told = RUN.invoke(
        build(),
        ["audit", "import", "audit-20260907", str(first), str(bad), "--ledger", town.ledger.url],
    )
    assert isinstance(told.exception, ValueError)
    assert audit_statuses(town.ledger)[0].settled == 0


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"编号": "x", "领域": "交通出行", "层级": "基础型"}, "not of this audit"),
        ({"编号": "a", "领域": "交通出行"}, "层级"),
        ({"编号": "a", "领域": "交通出行", "层级": "高"}, "层级"),
        ({"编号": "a", "领域": "交通出行", "层级": "基础型", "匹配结果": "也许"}, "匹配结果"),
        ({"编号": "a", "领域": "交通出行", "层级": "基础型", "次要领域": "环境；星际"}, "次要领域"),
    ],
)
def test_a_judgement_that_cannot_be_read_names_its_line_and_column(row, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "sheet.jsonl"
    write_rows(path, [row], list(row))
    found = list(JudgementReader(Taxonomy.load(), ["a"]).read(path))
    assert isinstance(found[0], RowError)
    assert problem in str(found[0])


def test_labels_are_read_by_id_and_by_either_name(tmp_path: Path) -> None:
    taxonomy = Taxonomy.load()
    path = tmp_path / "sheet.jsonl"
    names = [
        taxonomy.need_ids[2],
        taxonomy.name(taxonomy.need_ids[2]),
        taxonomy.name(taxonomy.need_ids[2], "en"),
    ]
    rows = [
        {"编号": str(n), "领域": name, "层级": "Basic", "次要领域": "环境、教育"}
        for n, name in enumerate(names)
    ]
    write_rows(path, rows, list(rows[0]))
    found = list(JudgementReader(taxonomy, ["0", "1", "2"]).read(path))
    assert {one.domain for one in found} == {taxonomy.need_ids[2]}
    assert {one.secondary for one in found} == {tuple(sorted(taxonomy.need_ids[:2]))}

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from evaluation.audits import draw_audit
from evaluation.labels import GivenLabel, record_labels
from evaluation.metrics import wilson
from evaluation.periods import Period
from evaluation.report_files import write_report
from evaluation.report_tables import accuracy_report, drift_report, needs_report
from evaluation.targets import TARGETS
from nlp.taxonomy import Taxonomy
from zhixu import build

WHOLE = Period.of_days(date(2026, 9, 7), date(2026, 9, 27))
TAXONOMY = Taxonomy.load()


@pytest.fixture
def town(found_town: Callable):
    town = found_town()
    drawn = draw_audit(town.ledger, WHOLE, half_width=0.05, actor="li", seed=4)
    labels = [GivenLabel("", town.truth[k], "s", "audit", prediction_id=k) for k in drawn.prediction_ids]
    record_labels(town.ledger, labels)
    return town, drawn


def report_of(town, language="zh"):
    return accuracy_report(town.ledger, WHOLE, TAXONOMY, WHOLE.end, TARGETS, language)


def test_the_figures_are_those_of_the_raw_rows_by_hand(town) -> None:
    town, drawn = town
    by_id = {row["id"]: row for row in town.rows}
    tables = {table.id: table for table in report_of(town).tables}
    strata = Counter()
    stratum_of = {}
    for key in drawn.prediction_ids:
        row = by_id[key]
        band = next(
            name
            for low, name in ((0.9, "0.90-1.00"), (0.7, "0.70-0.90"), (0.0, "0.00-0.70"))
            if row["confidence"] >= low
        )
        stratum_of[key] = f"{row['domain']}|{band}"
        strata[stratum_of[key]] += 1
    sizes = {one.name: one.population for one in drawn.strata}
    weight = {key: sizes[s] / strata[s] for key, s in stratum_of.items()}
    names = [TAXONOMY.name(label) for label in TAXONOMY.domain_ids]
    for row in tables["accuracy_domain"].rows:
        if row[0] != "领域":
            continue
        label = TAXONOMY.domain_ids[names.index(row[1])]
        mine = [key for key in drawn.prediction_ids if by_id[key]["domain"] == label]
        right = [town.truth[key] == label for key in mine]
        assert row[2] == pytest.approx(np.average(right, weights=[weight[key] for key in mine]))
        assert row[5] == len(mine)
        assert row[6] == sum(one["domain"] == label for one in town.rows)
    whole = next(row for row in tables["accuracy_all"].rows if row[0] == "领域")
    told = wilson(round(whole[7] * whole[10]), whole[10])
    assert (whole[7], whole[8], whole[9]) == pytest.approx((told.value, told.low, told.high))


def test_the_same_ledger_gives_the_same_digest_and_tables(town, tmp_path: Path) -> None:
    town, _ = town
    for folder in ("one", "two"):
        report = report_of(town)
        write_report(report, tmp_path / folder / "r", "csv")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    before = report_of(town).digest
    key = town.rows[0]["id"]
    record_labels(town.ledger, [GivenLabel("", TAXONOMY.need_ids[0], "desk", "feedback", prediction_id=key)])
    assert report.digest == before
    assert report_of(town).digest != before


def test_the_page_stands_alone_and_holds_its_digest(town, tmp_path: Path) -> None:
    town, _ = town
    report = report_of(town)
    page = write_report(report, tmp_path / "r", "html")[0].read_text("utf-8")
    assert report.digest in page
    assert "<script src" not in page
    assert "<link" not in page
    assert 'lang="zh-CN"' in page
    english = write_report(report_of(town, "en"), tmp_path / "e", "html")[0].read_text("utf-8")
    assert "Accuracy of needs and matches" in english


def test_the_workbook_has_one_sheet_a_table_with_numbers(town, tmp_path: Path) -> None:
    town, _ = town
    report = report_of(town)
    book = load_workbook(write_report(report, tmp_path / "r", "xlsx")[0])
    assert len(book.sheetnames) == len(report.tables) + 1
    for table, sheet in zip(report.tables, book.worksheets, strict=False):
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref
        for row, cells in zip(table.rows, sheet.iter_rows(min_row=2, values_only=True), strict=True):
            for told, cell in zip(row, cells, strict=True):
                assert cell == (pytest.approx(told) if isinstance(told, float) else told)


def test_pictures_are_drawn_without_a_browser(town, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib, the extra png")
    town, _ = town
    for path in write_report(report_of(town, "en"), tmp_path / "r", "png") if _ascii() else []:
        assert path.read_bytes().startswith(b"\x89PNG")


def _ascii() -> bool:
    from matplotlib import font_manager

    if any("CJK" in font.name for font in font_manager.fontManager.ttflist):
        return True
    pytest.skip("needs a Chinese font for names of districts; apt install fonts-noto-cjk")


def test_the_need_map_counts_every_need(town) -> None:
    town, _ = town
    tables = {table.id: table for table in needs_report(town.ledger, WHOLE, TAXONOMY).tables}
    needs = sum(row["domain"] != TAXONOMY.none_id for row in town.rows)
    assert sum(row[5] for row in tables["needs"].rows) == needs
    assert sum(sum(row[1:]) for row in tables["district_domain"].rows) == needs


def test_a_report_names_hostile_labels_without_running_them(town, tmp_path: Path) -> None:
    from sqlalchemy import update

    from evaluation.tables import Prediction

    town, _ = town
    with town.ledger.engine.begin() as connection:
        connection.execute(update(Prediction).values(district="</script><script>alert(1)</script>"))
    page = write_report(needs_report(town.ledger, WHOLE, TAXONOMY), tmp_path / "r", "html")[0]
    assert "<script>alert(1)" not in page.read_text("utf-8")


def test_the_command_writes_what_it_names(town, tmp_path: Path) -> None:
    town, _ = town
    days = ["--from", "2026-09-07", "--to", "2026-09-27", "--ledger", town.ledger.url]
    for name in ("accuracy", "needs"):
        told = CliRunner().invoke(build(), ["report", name, *days, "-o", str(tmp_path / name)])
        assert told.exit_code == 0, told.output
        assert (tmp_path / f"{name}.html").exists()
        assert (tmp_path / f"{name}.xlsx").exists()
    told = CliRunner().invoke(
        build(),
        ["report", "drift", "--from", "2026-09-21", "--to", "2026-09-27", "--days", "14", "--ledger", town.ledger.url, "-o", str(tmp_path / "drift")],
    )  # fmt: skip
    assert told.exit_code == 0, told.output


def test_a_report_of_an_empty_ledger_is_empty_not_broken(tmp_path: Path) -> None:
    from evaluation.ledger import Ledger

    ledger = Ledger(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    report = accuracy_report(ledger, WHOLE, TAXONOMY, datetime.now(WHOLE.zone), TARGETS)
    assert write_report(report, tmp_path / "a", "html")
    assert write_report(needs_report(ledger, WHOLE, TAXONOMY), tmp_path / "n", "html")
    with pytest.raises(ValueError, match="window"):
        drift_report(ledger, WHOLE, Period(WHOLE.end, WHOLE.end + timedelta(days=1)), TAXONOMY)
    ledger.close()

import json
import random
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from models.artifact import read_artifact
from models.identifier import Identifier, Knowledge, load_encoder
from models.reference import resolve
from nlp.paths import dataset_path
from nlp.records import LabelledMessage, Message
from training.batches import Batch, read_batch
from training.validation import ERROR, WARNING, Finding, Validation, ValidationReport
from training.validation_page import validation_page

Row = dict[str, object]


@lru_cache(maxsize=1)
def knowledge() -> Knowledge:
    encoder = load_encoder(read_artifact(resolve(None)))
    taxonomy = dataset_path("taxonomy.yaml").read_bytes()
    return Knowledge.assemble(taxonomy, dataset_path("lexicon.tsv").read_bytes(), encoder)


@lru_cache(maxsize=1)
def judge() -> Identifier:
    return Identifier.load()


@pytest.fixture(scope="module")
def own() -> list[Row]:
    rows = [row for _, row in read_batch("messages.jsonl").rows if isinstance(row, dict)]
    plain = [row for row in rows if not row.get("hard")]
    return random.Random(3).sample(plain, 600)


@pytest.fixture
def batch(tmp_path: Path) -> Callable[[list[Row]], Batch]:
    def write(rows: list[Row]) -> Batch:
        path = tmp_path / "batch.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        return read_batch(str(path))

    return write


def found(report: ValidationReport, check: str) -> Finding | None:
    return next((one for one in report.findings if one.check == check), None)


def labelled(rows: list[Row]) -> list[LabelledMessage]:
    return [LabelledMessage(Message(str(row["text"])), str(row["domain"])) for row in rows]


def test_own_text_has_no_errors(own: list[Row], batch: Callable[[list[Row]], Batch]) -> None:
    report = Validation(batch(own), knowledge(), judge=judge()).report()
    assert not report.errors
    assert report.n_usable == len(own)
    assert sum(report.balance["domain"].values()) == len(own)


def test_an_unknown_label_is_named_with_its_line_and_the_nearest_known(
    own: list[Row], batch: Callable[[list[Row]], Batch]
) -> None:
    label = knowledge().taxonomy.need_ids[2]
    rows = [dict(row) for row in own[:30]]
    rows[4]["domain"] = label[:-1] + "x"
    rows[7]["domain"] = "完全不沾边的类"
    finding = found(Validation(batch(rows), knowledge()).report(), "rows")
    assert finding is not None
    assert finding.severity == ERROR
    assert [place.line for place in finding.places] == [5, 8]
    assert repr(label) in finding.places[0].told
    assert "nearest" not in finding.places[1].told


def test_a_label_by_its_chinese_name_is_known(own: list[Row], batch: Callable[[list[Row]], Batch]) -> None:
    taxonomy = knowledge().taxonomy
    rows = [{**row, "domain": taxonomy.name(str(row["domain"]))} for row in own[:20]]
    assert Validation(batch(rows), knowledge()).report().n_usable == 20


def test_few_bad_rows_warn_and_many_stop(own: list[Row], batch: Callable[[list[Row]], Batch]) -> None:
    for n_bad, severity in ((1, WARNING), (20, ERROR)):
        rows = [*own[:100], *({"text": "没有标签"} for _ in range(n_bad))]
        finding = found(Validation(batch(rows), knowledge()).report(), "rows")
        assert finding is not None
        assert (finding.count, finding.severity) == (n_bad, severity)


def test_a_record_of_the_test_set_stops(own: list[Row], batch: Callable[[list[Row]], Batch]) -> None:
    rows = [dict(row) for row in own[:40]]
    test = labelled(own[300:340])
    changed = str(own[310]["text"]) + "！！"
    rows.append({**own[310], "id": "leak", "text": changed})
    finding = found(Validation(batch(rows), knowledge(), test).report(), "leakage")
    assert finding is not None
    assert finding.severity == ERROR
    assert [place.line for place in finding.places] == [41]
    assert found(Validation(batch(rows[:40]), knowledge(), test).report(), "leakage") is None


def test_texts_that_stand_twice_and_labels_at_odds_are_told_apart(
    own: list[Row], batch: Callable[[list[Row]], Batch]
) -> None:
    other = next(row["domain"] for row in own if row["domain"] != own[0]["domain"])
    rows: list[Row] = [
        *own[:30],
        {**own[1], "id": "twice"},
        {**own[0], "id": "odds", "domain": other, "secondary": [], "topic": None},
    ]
    report = Validation(batch(rows), knowledge()).report()
    conflicts, twice = found(report, "conflicts"), found(report, "duplicates")
    assert conflicts is not None
    assert [place.line for place in conflicts.places] == [32]
    assert twice is not None
    assert [place.line for place in twice.places] == [31, 32]


def test_foreign_and_empty_texts_and_personal_data_are_pointed_out(
    own: list[Row], batch: Callable[[list[Row]], Batch]
) -> None:
    domain = str(own[0]["domain"])
    rows: list[Row] = [
        *own[:30],
        {"id": "en", "text": "The street lamp is broken", "domain": domain},
        {"id": "dots", "text": "……！！", "domain": domain},
        {"id": "tel", "text": "请回电13812345678处理", "domain": domain},
    ]
    report = Validation(batch(rows), knowledge()).report()
    for check, line in (("not_chinese", 31), ("empty", 32), ("personal_data", 33)):
        finding = found(report, check)
        assert finding is not None, check
        assert line in [place.line for place in finding.places]
    assert "13812345678" not in repr(report)


def test_drift_is_told_where_shares_differ(own: list[Row], batch: Callable[[list[Row]], Batch]) -> None:
    domain = own[0]["domain"]
    slanted = [row for row in own if row["domain"] == domain]
    report = Validation(batch(slanted), knowledge(), earlier=labelled(own)).report()
    told = [one for one in report.findings if one.check == "drift"]
    assert any(one.severity == WARNING and one.told.startswith("domain") for one in told)
    even = Validation(batch(own[:300]), knowledge(), earlier=labelled(own[300:])).report()
    assert not any(
        one.severity == WARNING and one.told.startswith("domain")
        for one in even.findings
        if one.check == "drift"
    )


def test_flipped_labels_are_found_and_stop(own: list[Row], batch: Callable[[list[Row]], Batch]) -> None:
    dice = random.Random(5)
    labels = list(knowledge().taxonomy.domain_ids)
    rows = [dict(row, secondary=[], topic=None) for row in own]
    flipped = set(dice.sample(range(len(rows)), len(rows) // 4))
    for number in flipped:
        rows[number]["domain"] = dice.choice([label for label in labels if label != rows[number]["domain"]])
    finding = found(Validation(batch(rows), knowledge(), judge=judge()).report(), "label_errors")
    assert finding is not None
    assert finding.severity == ERROR
    told = {place.line - 1 for place in finding.places}
    assert len(told & flipped) / len(flipped) > 0.6
    assert len(told & flipped) / len(told) > 0.6


def test_the_page_escapes_what_stands_in_the_batch(
    own: list[Row], batch: Callable[[list[Row]], Batch]
) -> None:
    report = Validation(
        batch([*own[:30], {"text": "路灯坏了", "domain": "<script>alert(1)</script>"}]), knowledge()
    ).report()
    page = validation_page(replace(report, batch="<b>批次</b>"))
    assert "<script>" not in page
    assert "<b>批次" not in page

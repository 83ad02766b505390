import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evaluation.labels import GivenLabel, record_labels
from evaluation.ledger import Ledger
from nlp.records import LabelledMessage
from nlp.tables import RowError, TableError
from nlp.taxonomy import Taxonomy
from training.batches import read_batch
from training.label_studio import labelling_config, read_annotations, write_tasks

Row = dict[str, object]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


def annotation(who: object, cancelled: bool = False, **labels: object) -> Row:
    result = [
        {"from_name": field, "to_name": "text", "type": "choices", "value": {"choices": choices}}
        for field, choices in labels.items()
    ]
    return {"completed_by": who, "was_cancelled": cancelled, "result": result}


@pytest.fixture
def export(tmp_path: Path) -> Callable[[list[Row]], Path]:
    def write(tasks: list[Row]) -> Path:
        path = tmp_path / "export.json"
        path.write_text(json.dumps(tasks, ensure_ascii=False), "utf-8")
        return path

    return write


def test_a_label_studio_export_reads_as_a_batch_by_id_or_chinese_name(
    export: Callable[[list[Row]], Path],
) -> None:
    taxonomy = Taxonomy.load()
    first, second = taxonomy.need_ids[:2]
    path = export(
        [
            {
                "id": 1,
                "data": {"text": "河水发臭", "source": "hotline"},
                "annotations": [annotation(3, domain=[taxonomy.name(first)], secondary=[second])],
            },
            {
                "id": 2,
                "data": {"text": "再看看"},
                "annotations": [annotation(3, cancelled=True, domain=[first])],
            },
            {"id": 3, "data": {"text": "没标"}, "annotations": []},
        ]
    )
    read = read_batch(str(path)).read(taxonomy)
    assert len(read) == 1
    record = read[0][1]
    assert isinstance(record, LabelledMessage)
    assert (record.domain, record.secondary, record.message.source) == (first, (second,), "hotline")


def test_the_newest_annotation_of_a_task_counts_in_a_batch_and_each_counts_alone(
    export: Callable[[list[Row]], Path],
) -> None:
    one, two = Taxonomy.load().need_ids[:2]
    tasks: list[Row] = [
        {
            "id": 1,
            "data": {"text": "河水发臭"},
            "annotations": [annotation({"email": "a@x"}, domain=[one]), annotation({"id": 7}, domain=[two])],
        }
    ]
    path = export(tasks)
    assert [row["annotator"] for _, row in read_annotations(path) if isinstance(row, dict)] == ["a@x", "7"]
    rows = [row for _, row in read_batch(str(path)).rows if isinstance(row, dict)]
    assert [row["domain"] for row in rows] == [two]


@pytest.mark.parametrize("content", ["{", "{}", '"x"'])
def test_what_is_no_export_is_refused_by_name(content: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content, "utf-8")
    with pytest.raises(TableError, match=r"broken\.json.*export"):
        list(read_annotations(path))


def test_a_broken_task_is_named_and_the_others_go_on(export: Callable[[list[Row]], Path]) -> None:
    domain = Taxonomy.load().need_ids[0]
    good: Row = {"id": 2, "data": {"text": "河水发臭"}, "annotations": [annotation(1, domain=[domain])]}
    rows = list(read_annotations(export([{"annotations": 3}, good])))
    assert isinstance(rows[0][1], RowError)
    assert rows[0][0] == 1
    assert isinstance(rows[1][1], dict)


def test_tasks_carry_the_models_answer_and_come_back_as_they_went(tmp_path: Path) -> None:
    taxonomy = Taxonomy.load()
    path = tmp_path / "tasks.json"
    domain = taxonomy.need_ids[0]
    write_tasks(path, [{"id": "a", "text": "河水发臭", "prediction_id": "p1", "domain": domain}], "m1")
    tasks = json.loads(path.read_text("utf-8"))
    tasks[0]["annotations"] = [{"completed_by": 1, "result": tasks[0]["predictions"][0]["result"]}]
    path.write_text(json.dumps(tasks), "utf-8")
    row = next(read_annotations(path))[1]
    assert isinstance(row, dict)
    assert (row["id"], row["prediction_id"], row["domain"], row["text"]) == ("a", "p1", domain, "河水发臭")


def test_the_labelling_interface_offers_every_label_of_the_taxonomy() -> None:
    taxonomy = Taxonomy.load()
    view = ElementTree.fromstring(labelling_config(taxonomy))
    offered = {group.get("name"): [choice.get("alias") for choice in group] for group in view.iter("Choices")}
    assert offered == {
        "domain": list(taxonomy.domain_ids),
        "secondary": list(taxonomy.need_ids),
        "tier": list(taxonomy.tier_ids),
        "urgency": list(taxonomy.urgency_ids),
    }


def test_labels_in_the_ledger_read_as_a_batch(ledger: Ledger) -> None:
    taxonomy = Taxonomy.load()
    domain = taxonomy.need_ids[0]
    record_labels(
        ledger, [GivenLabel("x", domain, "li", "import", tier=taxonomy.tier_ids[0], text="河水发臭")]
    )
    batch = read_batch("ledger", lambda: ledger)
    record = batch.read(taxonomy)[0][1]
    assert isinstance(record, LabelledMessage)
    assert (record.domain, record.tier, record.message.text) == (domain, taxonomy.tier_ids[0], "河水发臭")
    assert read_batch("ledger:2999-01-01", lambda: ledger).rows == ()
    assert read_batch("ledger", lambda: ledger).sha256 == batch.sha256
    with pytest.raises(TableError, match="no date"):
        read_batch("ledger:soon", lambda: ledger)


def test_a_shipped_dataset_stands_for_itself_and_a_split_can_be_left_out() -> None:
    whole = read_batch("requests.jsonl")
    part = read_batch("requests.jsonl", leave_out="test")
    assert 0 < len(part.rows) < len(whole.rows)
    assert part.sha256 != whole.sha256

from typing import Any

import pytest

from nlp.reading import MAX_TEXT, MessageReader
from nlp.records import LabelledMessage, Message
from nlp.tables import RowError
from nlp.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()


def read(*rows: dict[str, Any]) -> list[Message | RowError]:
    return [row for _, row in MessageReader(TAXONOMY).read(enumerate(rows, 1))]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"text": "   "}, "'text' is empty"),
        ({"words": "路灯"}, "no field 'text'"),
        ({"text": "长" * (MAX_TEXT + 1)}, "'text'"),
        ({"text": "a\0b"}, "binary"),
        ({"text": ["路灯"]}, "'text'"),
        ({"text": "路灯", "source": "fax"}, "'source'"),
        ({"text": "路灯", "id": "x" * 500}, "'id'"),
    ],
)
def test_a_bad_row_says_which_field_and_keeps_the_text_to_itself(row: dict[str, Any], told: str) -> None:
    good = {"text": "路灯坏了"}
    first, problem = read(good, row)
    assert isinstance(first, Message)
    assert isinstance(problem, RowError)
    assert told in problem.problem
    assert problem.line == 2
    assert "长长" not in problem.problem


def test_ids_are_unique() -> None:
    answers = read({"id": "7", "text": "甲"}, {"id": 7, "text": "乙"}, {"id": 7.0, "text": "丙"})
    assert [isinstance(answer, RowError) for answer in answers] == [False, True, True]


def test_rows_without_id_get_their_line() -> None:
    answers = read({"text": "甲"}, {"text": "乙"})
    assert [answer.id for answer in answers if isinstance(answer, Message)] == ["line-1", "line-2"]


def test_labels_must_stand_in_the_taxonomy() -> None:
    rows: list[dict[str, Any]] = [
        {"text": "甲", "label": "housing", "secondary": "transport；healthcare", "tier": "basic"},
        {"text": "乙", "domain": "weather"},
        {"text": "丙"},
        {"text": "丁", "domain": "none"},
    ]
    answers = [row for _, row in MessageReader(TAXONOMY).read_labelled(enumerate(rows, 1))]
    assert isinstance(answers[0], LabelledMessage)
    assert answers[0].secondary == ("transport", "healthcare")
    assert [isinstance(answer, RowError) for answer in answers] == [False, True, True, False]

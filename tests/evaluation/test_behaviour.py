import random
from pathlib import Path

import pytest

from evaluation.behaviour import Laws, exchanged, incapable, misheard_text, put_to_test, read_look_alikes
from evaluation.metrics import wilson
from models.identifier import Identifier
from nlp.records import LabelledMessage, Message

IDENTIFIER = Identifier.load()
RECORDS = [
    LabelledMessage(Message("小区停水两天了，物业电话打不通", "1"), "housing", topic="water"),
    LabelledMessage(Message("公交车半小时不来一趟，上班总迟到", "2"), "transport", topic="bus"),
    LabelledMessage(Message("老板拖欠工资三个月", "3"), "social_security", topic="wages"),
    LabelledMessage(Message("孩子上学材料交了没人回复", "4"), "healthcare", topic="visit"),
]


def test_every_law_reports_its_failures() -> None:
    results = put_to_test(IDENTIFIER, RECORDS, Laws.load())
    kinds = {result.kind for result in results}
    assert kinds == {"invariance", "direction", "capability"}
    for result in results:
        rate = result.failure_rate
        assert 0 <= rate.low <= rate.value + 1e-12
        assert rate.value - 1e-12 <= rate.high <= 1
        assert result.n <= len(RECORDS)
    danger = next(result for result in results if result.law == "danger raises urgency")
    assert danger.failure_rate.value < 0.5


def test_a_topic_always_misjudged_is_named() -> None:
    weak = incapable(put_to_test(IDENTIFIER, RECORDS, Laws.load()))
    assert "healthcare/visit: domain found" in [result.law for result in weak]


def test_look_alikes_change_about_their_share() -> None:
    table = dict.fromkeys("停水两天了", "听睡")
    text = "停水两天了" * 200
    changed = sum(a != b for a, b in zip(text, exchanged(table, text, random.Random(1)), strict=True))
    assert 0.02 < changed / len(text) < 0.08
    assert exchanged(table, "别的字", random.Random(1)) == "别的字"


def test_tables_are_read_by_character(tmp_path: Path) -> None:
    (tmp_path / "similar_sound.txt").write_text("停 听亭\n坏行\n水 睡\n", "utf-8")
    assert read_look_alikes(tmp_path / "similar_sound.txt") == {"停": "听亭", "水": "睡"}
    with pytest.raises(FileNotFoundError, match="similar_shape"):
        Laws.load(tmp_path)


def test_words_are_misheard_as_the_table_says() -> None:
    assert misheard_text("找人社局", {"人社局": "人设局"}) == "找人设局"


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (5, 10), (10, 10), (1, 1000)])
def test_wilson_intervals_hold_the_share_and_stay_in_bounds(hits: int, n: int) -> None:
    found = wilson(hits, n)
    assert 0 <= found.low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= found.high <= 1
    assert wilson(0, 0) == wilson(0, 0)

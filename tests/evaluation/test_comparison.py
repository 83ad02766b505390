from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.comparison import compare, judge
from models.records import Identification
from nlp.records import LabelledMessage, Message, PreparedMessage

LABELS = "abcdefg"


def answer(domain: str) -> Identification:
    prepared = PreparedMessage("", "", None, None, (), ())
    return Identification(prepared, domain, 0.9, None, None, False, (), (), "m", "t")


def records(n: int, seed: int = 0) -> list[LabelledMessage]:
    numbers = np.random.default_rng(seed).integers(0, len(LABELS), n).tolist()
    return [LabelledMessage(Message("x", source="hotline"), LABELS[number]) for number in numbers]


def model(truth: list[LabelledMessage], accuracy: float, seed: int) -> list[Identification]:
    dice = np.random.default_rng(seed)
    return [
        answer(one.domain if dice.random() < accuracy else LABELS[int(dice.integers(len(LABELS)))])
        for one in truth
    ]


def test_a_much_better_challenger_is_promoted_and_told_why() -> None:
    truth = records(800)
    verdict = judge(compare(truth, model(truth, 0.7, 1), model(truth, 0.9, 2)), 0.02)
    assert verdict.promote
    assert any("macro_f1 all" in reason for reason in verdict.reasons)


def test_a_worse_challenger_is_refused_with_what_it_loses() -> None:
    truth = records(800)
    verdict = judge(compare(truth, model(truth, 0.9, 1), model(truth, 0.7, 2)), 0.02)
    assert not verdict.promote
    assert any("accuracy all" in reason for reason in verdict.reasons)


def test_the_same_answers_are_no_reason_to_change() -> None:
    truth = records(200)
    same = model(truth, 0.8, 1)
    rows = compare(truth, same, same)
    assert all(row.difference.value == row.difference.low == row.difference.high == 0 for row in rows)
    assert not judge(rows, 0.02).promote


def test_a_loss_in_one_domain_outweighs_gains_in_all_others() -> None:
    truth = records(900)
    champion = model(truth, 0.6, 1)
    challenger = [answer("b") if one.domain == "a" else answer(one.domain) for one in truth]
    champion = [answer("a") if t.domain == "a" else one for t, one in zip(truth, champion, strict=True)]
    verdict = judge(compare(truth, champion, challenger), 0.02)
    assert not verdict.promote
    assert any(reason.startswith("domain accuracy a:") for reason in verdict.reasons)


def test_luck_alone_seldom_promotes() -> None:
    promoted = 0
    for seed in range(40):
        truth = records(300, seed)
        promoted += judge(
            compare(truth, model(truth, 0.8, seed + 100), model(truth, 0.8, seed + 200)), 0.02
        ).promote
    assert promoted <= 4


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=40))
def test_exchanging_the_models_turns_every_difference(cells: list[tuple[str, str, str]]) -> None:
    truth = [LabelledMessage(Message("x"), told) for told, _, _ in cells]
    one, two = [answer(a) for _, a, _ in cells], [answer(b) for _, _, b in cells]
    for row, turned in zip(compare(truth, one, two), compare(truth, two, one), strict=True):
        assert row.difference.value == pytest.approx(-turned.difference.value)
        assert row.p == turned.p
        assert row.difference.low <= row.difference.value + 1e-9


def test_tiers_are_compared_where_the_truth_has_them() -> None:
    truth = [replace(one, tier="basic") for one in records(50)]
    champion = [replace(answer(one.domain), tier="vision") for one in truth]
    challenger = [replace(answer(one.domain), tier="basic") for one in truth]
    rows = [row for row in compare(truth, champion, challenger) if row.decision == "tier"]
    assert {row.challenger for row in rows if row.measure == "accuracy"} == {1.0}
    assert judge(compare(truth, champion, challenger), 0.02).promote


def test_nothing_to_compare_is_said_so() -> None:
    with pytest.raises(ValueError, match="answers"):
        compare([], [], [])

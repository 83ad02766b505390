from datetime import datetime, timedelta

import numpy as np
import pytest

from evaluation.columns import Column
from evaluation.drift import Window, compare_words, find_drift
from evaluation.emerging import Spoken, find_emerging

WORDS = ("路灯", "停水", "噪音", "垃圾", "公交", "学校", "医院", "电梯", "停车", "油烟")


def window(
    rng: np.random.Generator, n: int, confidence=(8, 2), words=WORDS, shares=(0.5, 0.3, 0.2)
) -> Window:
    texts = ["，".join(rng.choice(words, 4)) for _ in range(n)]
    columns = {
        name: Column.of(rng.choice(["a", "b", "c"], n, p=shares))
        for name in ("source", "domain", "tier", "district")
    }
    return Window(tuple(map(str, range(n))), tuple(texts), rng.beta(*confidence, n), columns)


def test_two_windows_of_one_kind_seldom_drift() -> None:
    rng = np.random.default_rng(1)
    alarms = sum(
        any(one.drifted for one in find_drift(window(rng, 400), window(rng, 300))) for _ in range(10)
    )
    assert alarms <= 1


def test_what_changed_is_named_and_what_did_not_is_not() -> None:
    rng = np.random.default_rng(2)
    before = window(rng, 600)
    after = window(
        rng, 600, confidence=(4, 4), words=(*WORDS[:5], "洪水", "内涝", "断电"), shares=(0.2, 0.3, 0.5)
    )
    found = {one.subject: one for one in find_drift(before, after)}
    assert found["confidence"].drifted
    assert found["vocabulary"].drifted
    assert found["source"].drifted
    assert not found["length"].drifted
    assert found["source"].stability > 0.1
    assert all(0 <= one.p <= one.q + 1e-12 <= 1 + 1e-9 for one in found.values())


def test_the_same_words_do_not_diverge() -> None:
    effect, p = compare_words(["路灯坏了"] * 30, ["路灯坏了"] * 30)
    assert effect == pytest.approx(0)
    assert p > 0.5


def spoken(flood: int) -> list[Spoken]:
    rng, start = np.random.default_rng(3), datetime(2026, 3, 1)
    common = [
        Spoken(f"{rng.choice(WORDS)}问题{rng.choice(WORDS)}反映", start + timedelta(days=float(d)), "南桥区")
        for d in rng.random(300) * 90
    ]
    late = [
        Spoken("地下车库内涝积水严重排水泵故障", start + timedelta(days=80 + float(d)), "北渡区", 3)
        for d in rng.random(flood) * 10
    ]
    return common + late


def test_a_topic_that_springs_up_is_found_named_and_placed() -> None:
    topics = find_emerging(spoken(12))
    assert topics
    assert {"内涝", "积水"} & set(topics[0].words)
    assert (topics[0].recent, topics[0].district, topics[0].share) == (12, "北渡区", 1.0)
    assert topics[0].likes == 36


def test_steady_messages_raise_no_topic() -> None:
    assert find_emerging(spoken(0)) == []
    assert find_emerging([]) == []

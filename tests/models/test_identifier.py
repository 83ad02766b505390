from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.decisions import REVIEW_REASONS
from models.explanation import attribute
from models.heads import DOMAIN
from models.identifier import Identifier
from nlp.records import Message

IDENTIFIER = Identifier.load()
TEXTS = [
    "小区停水两天了，物业电话也打不通，老人没法做饭",
    "孩子上小学需要什么材料？另外学校门口能不能装个红绿灯",
    "今天天气真好，晒晒太阳",
    "老板拖欠我们三个月工资，快过年了",
]


def test_an_answer_is_the_same_alone_and_in_a_batch() -> None:
    messages = [Message(text, str(number)) for number, text in enumerate(TEXTS)]
    together = IDENTIFIER.identify(messages)
    for message, one in zip(messages, together, strict=True):
        alone = IDENTIFIER.identify([message])[0]
        assert (alone.domain, alone.tier, alone.urgency) == (one.domain, one.tier, one.urgency)
        assert alone.confidence == pytest.approx(one.confidence, abs=1e-4)


@given(st.text(max_size=300))
@settings(deadline=None, max_examples=60)
def test_any_text_gets_a_sound_answer(text: str) -> None:
    taxonomy = IDENTIFIER.taxonomy
    one = IDENTIFIER.identify([Message(text)])[0]
    assert one.domain in taxonomy.domain_ids
    assert 0.0 <= one.confidence <= 1.0
    assert one.urgency in taxonomy.urgency_ids
    assert (one.tier is None) == (one.domain == taxonomy.none_id) == (not one.needs)
    domains = [need.domain for need in one.needs]
    assert len(domains) == len(set(domains))
    assert domains[:1] == ([] if one.domain == taxonomy.none_id else [one.domain])


def test_evidence_stands_in_the_text() -> None:
    for one in IDENTIFIER.identify([Message(text) for text in TEXTS]):
        assert all(evidence.word in one.prepared.text for evidence in one.evidence)


@given(st.lists(st.sampled_from([*TEXTS, "", "。", "电话13800138000", "hello"]), min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_word_shares_add_up_to_the_score(texts: list[str]) -> None:
    batch = IDENTIFIER.features(IDENTIFIER.prepare([Message(text) for text in texts]))
    heads, head = IDENTIFIER.heads, IDENTIFIER.heads.head(DOMAIN)
    assert head is not None
    reading = heads.read(batch)
    scores = heads.scores(reading)[:, head.columns]
    labels = scores.argmax(axis=1)
    told = attribute(heads, head, IDENTIFIER.projected, IDENTIFIER.lexicon_block, reading, labels)
    sums = told.base + np.bincount(batch.tokens.texts, told.words, len(texts))
    centred = scores - scores.mean(axis=1, keepdims=True)
    assert sums == pytest.approx(centred[np.arange(len(texts)), labels], abs=2e-3)


@given(st.lists(st.sampled_from([*TEXTS, "", "。", "电话13800138000", "hello"]), min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_explanations_add_up_to_what_was_decided(texts: list[str]) -> None:
    messages = [Message(text, source="gov_portal") for text in texts]
    prepared = IDENTIFIER.prepare(messages)
    reading = IDENTIFIER.heads.read(IDENTIFIER.features(prepared))
    decider, head = IDENTIFIER.decider, IDENTIFIER.heads.head(DOMAIN)
    assert head is not None
    scores = decider.domain_scores(reading, IDENTIFIER.heads.scores(reading), ["gov_portal"] * len(texts))
    centred = scores - scores.mean(axis=1, keepdims=True)
    answers = IDENTIFIER.identify(messages)
    for row, (answer, told) in enumerate(zip(answers, IDENTIFIER.explain(messages), strict=True)):
        if not answer.prepared.text:
            assert told == ()
            continue
        domain = told[0]
        assert (domain.decision, domain.label) == (DOMAIN, answer.domain)
        assert domain.score == pytest.approx(domain.base + sum(word.weight for word in domain.words))
        assert domain.score == pytest.approx(centred[row, head.labels.index(answer.domain)], abs=5e-3)
        assert "".join(word.word for word in domain.words) == answer.prepared.text


def test_what_needs_review_says_why() -> None:
    for one in IDENTIFIER.identify([Message(text) for text in [*TEXTS, "反正就那样吧"]]):
        assert one.review == bool(one.review_reasons)
        assert set(one.review_reasons) <= set(REVIEW_REASONS)


def test_personal_data_never_reaches_the_answer() -> None:
    text = "我叫王小明，电话13800138000，楼道灯坏了"
    one = IDENTIFIER.identify([Message(text)])[0]
    assert "13800138000" not in repr(one)
    assert "王小明" not in repr(one)


def test_an_unanswered_question_holds_no_need() -> None:
    one = IDENTIFIER.identify([Message("同上", source="survey")])[0]
    assert (one.domain, one.confidence, one.needs) == ("none", 1.0, ())


def test_titles_are_read_too() -> None:
    plain = Message("请尽快处理", title="关于小区停水的问题")
    assert IDENTIFIER.identify([plain])[0].prepared.text.startswith("关于小区停水")
    assert IDENTIFIER.identify([replace(plain, title=None)])[0].prepared.text == "请尽快处理"


def test_nothing_in_nothing_out() -> None:
    assert IDENTIFIER.identify([]) == []

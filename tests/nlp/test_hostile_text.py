"""No text breaks the reading: surrogates, invisible and combining characters, right-to-left, emoji, endless lines."""

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.identifier import Identifier
from nlp.cleaning import STEPS, Cleaner
from nlp.masking import PLACEHOLDER, mask
from nlp.preparing import Preparer
from nlp.records import Message
from nlp.splitting import split_wishes
from nlp.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
CLEANER, PREPARER = Cleaner(TAXONOMY), Preparer(TAXONOMY)
PIECES = (
    "\ud800", "\udfff", "\0", "\u200b", "\u200d", "\u202e", "\u2066", "\ufeff", "\u0301" * 9, "שלום", "مرحبا",
    "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇨🇳", "１３８", "138", "幺三八", "00001111", "－", "·", "：", "，", "（", "）", "<电话>", "<姓名", "@", "#",
    "我叫", "联系人", "姓名：", "王小明", "欧阳", "李", "先生", "身份证", "11010519491231002", "X", "3栋2单元", "501室", "12弄3号",
    "京A12345", "微信", "嗯", "不对", "一、", "另外", "\n", " ", "\u3000", "哈" * 7, "修路" * 5,
)  # fmt: skip
hostile = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=24).map("".join)


@given(hostile)
@settings(max_examples=300, deadline=None)
def test_masked_places_are_ordered_inside_and_masking_again_finds_nothing(text: str) -> None:
    masked = mask(text)
    assert all(0 <= span.start < span.end <= len(text) for span in masked.spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(masked.spans))
    rest = "".join(
        text[a:b]
        for a, b in itertools.pairwise([0, *(p for s in masked.spans for p in (s.start, s.end)), len(text)])
    )
    assert len(rest) == len(text)
    assert len(PLACEHOLDER.findall(masked.text)) >= len(masked.spans)
    assert mask(masked.text).text == masked.text


@pytest.mark.parametrize("step", [name for name in STEPS if name != "spellings"])
@given(text=hostile)
@settings(deadline=None)
def test_each_cleaning_step_takes_any_text(step: str, text: str) -> None:
    assert isinstance(STEPS[step](text.encode("utf-8", "replace").decode()), str)


@given(text=hostile, source=st.sampled_from([*TAXONOMY.source_ids, None]))
@settings(deadline=None)
def test_prepared_text_is_printable_and_its_segments_are_the_text(text: str, source: str | None) -> None:
    (prepared,) = PREPARER.prepare([Message(text, source=source)])
    prepared.text.encode("utf-8")
    assert "\0" not in prepared.text
    assert "".join(segment.text for segment in prepared.segments) == prepared.text
    assert split_wishes(prepared.text) == prepared.segments


@pytest.mark.parametrize(
    "piece", [*(piece for piece in PIECES if piece.strip()), "李明、", "13800138000，", "1"]
)
def test_twenty_thousand_characters_are_read_in_bounded_time(piece: str) -> None:
    text = (piece * (20_000 // len(piece) + 1))[:20_000]
    begun = time.process_time()
    PREPARER.prepare([Message(text)])
    assert time.process_time() - begun < 10


@pytest.mark.slow
def test_identifying_hostile_texts_answers_each() -> None:
    identifier = Identifier.load()

    @given(st.lists(hostile, min_size=1, max_size=6))
    @settings(max_examples=60, deadline=None)
    def answers_each(texts: list[str]) -> None:
        found = identifier.identify([Message(text, str(n)) for n, text in enumerate(texts)])
        assert [one.id for one in found] == [str(n) for n in range(len(texts))]
        assert all(0 <= one.confidence <= 1 for one in found)

    answers_each()

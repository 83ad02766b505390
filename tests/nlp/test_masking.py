import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.masking import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("电话13800138000找我", "电话<电话>找我"),
        ("打幺三八零零一三八零零零", "打<电话>"),
        ("身份证11010519491231002X", "身份证<身份证>"),
        ("邮箱 a.b@example.com", "邮箱 <邮箱>"),
        ("车牌粤B12345", "车牌<车牌>"),
        ("我叫王小明，住3栋2单元501室", "我叫<姓名>，住<门牌>"),
        ("座机0571-87654321", "座机<电话>"),
    ],
)
def test_personal_data_becomes_a_placeholder(text: str, masked: str) -> None:
    assert mask(text).text == masked


@pytest.mark.parametrize(
    "text", ["路灯坏了半年", "三栋楼的居民都反对", "110105194912310021 元", "2023年5月1日开始"]
)
def test_ordinary_words_stay(text: str) -> None:
    assert mask(text).text == text


@given(st.text(max_size=200))
def test_spans_are_ordered_and_inside(text: str) -> None:
    spans = mask(text).spans
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))

from hypothesis import given
from hypothesis import strategies as st

from nlp.splitting import split_wishes


@given(st.text(alphabet="一二、。另外，还有路灯坏了1.2\n ！", max_size=200))
def test_segments_joined_are_the_text(text: str) -> None:
    assert "".join(segment.text for segment in split_wishes(text)) == text


def test_numbered_wishes_are_segments() -> None:
    segments = split_wishes("一、路灯坏了没人修。二、停车位不够用。")
    assert [segment.text for segment in segments] == ["一、路灯坏了没人修。", "二、停车位不够用。"]

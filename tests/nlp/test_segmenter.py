import json

import jieba
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.lexicon import load_lexicon
from nlp.paths import dataset_path
from nlp.segmenter import Segmenter

TERMS = tuple(entry.term for entry in load_lexicon())
SEGMENTER = Segmenter(TERMS)


@given(st.text(max_size=100))
def test_words_joined_are_the_text(text: str) -> None:
    assert "".join(SEGMENTER.cut(text)) == text


def test_lexicon_terms_are_words() -> None:
    assert "老年食堂" in Segmenter(["老年食堂"]).cut("我们社区的老年食堂关门了")


@pytest.mark.slow
def test_words_are_those_of_jieba() -> None:
    lines = dataset_path("messages.jsonl").read_text("utf-8").splitlines()[::7]
    peer = jieba.Tokenizer()
    plain = Segmenter()
    same = total = 0
    for line in lines:
        text = json.loads(line)["text"]
        ours, theirs = _borders(plain.cut(text)), _borders(peer.lcut(text))
        same += len(ours & theirs)
        total += len(ours | theirs)
    assert same / total > 0.99


def _borders(words: list[str]) -> set[tuple[int, int]]:
    borders, start = set(), 0
    for word in words:
        borders.add((start, start + len(word)))
        start += len(word)
    return borders


@pytest.mark.parametrize("text", ["", "，。", "😀", "\ud800".encode("utf-8", "replace").decode()])
def test_texts_without_words_are_cut_too(text: str) -> None:
    assert "".join(SEGMENTER.cut(text)) == text

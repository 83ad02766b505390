import pytest

from nlp.paths import dataset_path
from nlp.spelling import mend_spellings

ROWS = [line.split("\t") for line in dataset_path("spellings.tsv").read_text("utf-8").splitlines()[1:]]


@pytest.mark.parametrize(("written", "meant"), [("红路灯坏了", "红绿灯坏了"), ("zf管不管", "政府管不管")])
def test_misheard_and_internet_spellings_become_the_usual_word(written: str, meant: str) -> None:
    assert mend_spellings(written) == meant


@pytest.mark.parametrize(
    "text", ["天然气停了", "三年内个别路段", "儿童鞋", "建设保障房", "buzfer", "污水景观"]
)
def test_words_that_only_look_alike_stay(text: str) -> None:
    assert mend_spellings(text) == text


def test_mending_twice_is_mending_once() -> None:
    for written, meant, _ in ROWS:
        assert mend_spellings(mend_spellings(written)) == mend_spellings(written)
        assert mend_spellings(meant) == meant

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.cleaning import STEPS, Cleaner
from nlp.taxonomy import Taxonomy, TaxonomyError

TAXONOMY = Taxonomy.load()
CLEANER = Cleaner(TAXONOMY)


@pytest.mark.parametrize(
    ("source", "text", "clean"),
    [
        ("weibo", "#停电# 谁来管管啊[怒][怒]😡 http://t.cn/A6abc", "停电 谁来管管啊"),
        ("weibo", "转发微博//@某某:路灯坏了半年//@另一人: 我们这也是", "路灯坏了半年"),
        ("weibo", "太黑了不敢走//@某某:路灯坏了", "太黑了不敢走"),
        ("weibo", "@市政 井盖没了", "井盖没了"),
        ("short_video", "修路修路修路修路修路", "修路修路修路"),
        ("hotline", "坐席：您好请讲 市民：我们楼道灯坏了一个月了 坐席：好的", "我们楼道灯坏了一个月了"),
        ("hotline", "嗯，我住三号楼不对五号楼，停水了", "我住五号楼，停水了"),
        ("hotline", "我我我想问一下二零二三年的补贴", "我想问一下2023年的补贴"),
        ("gov_portal", "自來水停了兩天，請儘快處理", "自来水停了两天，请尽快处理"),
        ("gov_portal", "Ｗｉｆｉ１２３", "Wifi123"),
        ("survey", "同上", ""),
        ("survey", "没有。", ""),
        ("survey", "没有公交", "没有公交"),
        ("survey", "无障碍坡道", "无障碍坡道"),
        (None, "【求助】\u202e没人管\x00\ud800", "求助 没人管"),
    ],
)
def test_each_source_reads_plainly(source: str | None, text: str, clean: str) -> None:
    assert CLEANER.clean(text, source) == clean


@pytest.mark.parametrize("source", [*TAXONOMY.source_ids, None])
@given(text=st.text(max_size=120))
def test_cleaning_twice_changes_little_and_never_fails(source: str | None, text: str) -> None:
    clean = CLEANER.clean(text, source)
    assert not any(0xD800 <= ord(character) <= 0xDFFF for character in clean)
    assert clean == clean.strip()


@given(text=st.text(alphabet="一三千二〇人手万心意不年楼，", max_size=40))
def test_ordinary_numerals_stay_words(text: str) -> None:
    assert len(STEPS["spoken_numbers"](text)) == len(text)


def test_a_profile_with_an_unknown_step_is_named() -> None:
    file = TAXONOMY.file.model_copy(update={"default_cleaning": ("polish",)})
    with pytest.raises(TaxonomyError, match="polish"):
        Cleaner(Taxonomy(file, ""))

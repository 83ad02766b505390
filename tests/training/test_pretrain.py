import gzip
from pathlib import Path

import numpy as np
import pytest

from training.corpus import CorpusError, corpus_files, weighed, weight_of, write_corpus
from training.pretrain import PretrainConfig, learn_vectors, quantised, to_encoder

SENTENCES = [
    f"{place}{what}"
    for place in ["村东头", "河边上", "小区里"]
    for what in ["的路灯坏了没有人修", "停水两天了做不了饭"]
]
SMALL = PretrainConfig(width=8, n_words=50, epochs=2, at_least=1)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    with gzip.open(tmp_path / "a.txt.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(f"{sentence}\n" for sentence in SENTENCES * 20)
    (tmp_path / "b.jsonl").write_text(
        '{"title":"燃气","text":"我叫王小明，电话13800138000，燃气灶打不着火"}\nbroken\n', "utf-8"
    )
    target = tmp_path / "words"
    write_corpus(corpus_files([tmp_path]), target)
    return target


def test_personal_data_is_not_learned_from(corpus: Path) -> None:
    words = corpus.read_text("utf-8")
    assert "打不着火" in words
    assert "13800138000" not in words
    assert "王小明" not in words


def test_texts_kept_out_are_kept_out(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(
        "河边上的路灯坏了没有人修理，走夜路害怕\n停水两天了做不了饭也洗不了澡\n路灯又坏了呀\n", "utf-8"
    )
    (tmp_path / "gold.jsonl").write_text(
        '{"text":"听说河边上的路灯坏了没有人修理，走夜路怕"}\n{"text":"路灯又坏了呀"}\n', "utf-8"
    )
    assert write_corpus([tmp_path / "in.txt"], tmp_path / "words", [tmp_path / "gold.jsonl"]) == 1
    assert "路灯" not in (tmp_path / "words").read_text("utf-8")


def test_a_folder_without_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(CorpusError, match="no text"):
        corpus_files([tmp_path])


def test_a_cut_run_goes_on_where_it_stopped(corpus: Path, tmp_path: Path) -> None:
    whole = learn_vectors(corpus, tmp_path / "s1", SMALL)

    def stop_after_one(done: int, _of: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn_vectors(corpus, tmp_path / "s2", SMALL, progress=stop_after_one)
    epochs: list[int] = []
    resumed = learn_vectors(corpus, tmp_path / "s2", SMALL, progress=lambda done, _of: epochs.append(done))
    assert epochs == [2]
    assert resumed.words == whole.words


def test_going_on_from_an_encoder_starts_at_its_vectors(corpus: Path, tmp_path: Path) -> None:
    start = quantised(["停水"], np.full((1, 8), 0.5, np.float32))
    still = PretrainConfig(width=8, n_words=50, epochs=1, at_least=1, first_rate=1e-7, last_rate=1e-8)
    learned = learn_vectors(corpus, tmp_path / "state", still, start)
    row = learned.vectors[learned.words.index("停水")]
    assert row / np.linalg.norm(row) == pytest.approx(np.full(8, 8**-0.5), abs=1e-2)


def test_the_encoder_keeps_the_words_asked_for(corpus: Path, tmp_path: Path) -> None:
    learned = learn_vectors(corpus, tmp_path / "state", SMALL)
    rare = learned.words[-1]
    encoder = to_encoder(learned, PretrainConfig(width=8, n_words=3), frozenset([rare]))
    assert rare in encoder.vocabulary
    assert len(encoder.vocabulary) == 3


def test_eight_bits_keep_the_vectors() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    encoder = quantised([str(n) for n in range(40)], vectors)
    assert np.abs(encoder.vectors - vectors).max() < np.abs(vectors).max() / 100


def test_a_file_is_read_as_often_as_its_weight_says() -> None:
    texts = [f"第{number}条" for number in range(1000)]
    assert list(weighed(texts, 2)) == [text for text in texts for _ in range(2)]
    third = list(weighed(texts, 1 / 3))
    assert 250 < len(third) < 420
    assert third == list(weighed(texts, 1 / 3))
    assert list(weighed(texts, 0)) == []
    assert weight_of(Path("laws_cn.txt.gz"), [("laws*", 0.3), ("*.jsonl", 2)]) == 0.3
    assert weight_of(Path("chat.txt.gz"), [("laws*", 0.3)]) == 1

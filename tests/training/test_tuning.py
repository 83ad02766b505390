from pathlib import Path

import numpy as np
import pytest

from models.encoder import StaticEncoder
from training.pairs import Pair, pairs_of
from training.pretrain import quantised
from training.tuning import TuningConfig, spelled, static_embedding, tune

WORDS = ["路灯", "坏了", "停水", "断水", "漆黑", "公交", "班车", "学校"]


@pytest.fixture
def encoder() -> StaticEncoder:
    return quantised(WORDS, np.random.default_rng(1).normal(size=(len(WORDS), 16)).astype(np.float32))


def cosine(encoder: StaticEncoder, left: str, right: str) -> float:
    vectors = encoder.encode([[left], [right]])
    return float(vectors[0] @ vectors[1])


def test_numpy_and_torch_give_the_same_vectors(encoder: StaticEncoder) -> None:
    texts = [["路灯", "坏了"], ["停水", "停水", "学校"], ["公交"], ["断水公交"]]
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(modules=[static_embedding(encoder)], device="cpu")
    theirs = model.encode(spelled(encoder, texts), normalize_embeddings=True)
    assert encoder.encode(texts) == pytest.approx(theirs, abs=1e-5)


@pytest.mark.slow
def test_pairs_draw_together_and_look_alikes_apart(encoder: StaticEncoder, tmp_path: Path) -> None:
    pairs = [Pair("停水", "断水", "学校"), Pair("公交", "班车", "路灯")] * 8
    config = TuningConfig(epochs=6, batch=4, rate=0.05)
    tuned = tune(encoder, [pairs], config, tmp_path / "state")
    assert cosine(tuned, "停水", "断水") > cosine(encoder, "停水", "断水")
    assert cosine(tuned, "停水", "断水") > cosine(tuned, "停水", "学校")
    assert tuned.vocabulary == encoder.vocabulary


def test_pairs_come_from_pairs_titles_and_halves(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text(
        '{"left":"停水了","right":"没水用","hard":"水费贵"}\nbroken\n', "utf-8"
    )
    (tmp_path / "titled.jsonl").write_text(
        '{"title":"路灯坏了","text":"路灯坏了三盏灯都不亮，请修"}\n{"text":"一句话。另一句话。"}\n', "utf-8"
    )
    passage = "村口的路灯坏了很久没有人来修。晚上走路很不安全，请尽快处理。老人小孩都怕。"
    (tmp_path / "passages.txt").write_text(f"{passage}\n短\n", "utf-8")
    given, titled, halves = pairs_of([tmp_path / n for n in ("pairs.jsonl", "titled.jsonl", "passages.txt")])
    assert given == [Pair("停水了", "没水用", "水费贵")]
    assert titled[0] == Pair("路灯坏了", "三盏灯都不亮，请修")
    assert sorted((titled[1].left, titled[1].right)) == ["一句话。", "另一句话。"]
    assert sorted(halves[0].left + halves[0].right) == sorted(passage)
    assert halves[0].left
    assert halves[0].right


def test_pairs_of_text_kept_out_are_kept_out(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text(
        '{"left":"河边上的路灯坏了没有人修理呢","right":"没灯，黑漆漆的走路害怕"}\n', "utf-8"
    )
    (tmp_path / "gold.jsonl").write_text(
        '{"text":"听说河边上的路灯坏了没有人修理呢没灯，黑漆漆的"}\n', "utf-8"
    )
    assert pairs_of([tmp_path / "pairs.jsonl"], [tmp_path / "gold.jsonl"]) == [[]]

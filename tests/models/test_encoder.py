import numpy as np
import pytest

from models.encoder import StaticEncoder


@pytest.fixture
def encoder() -> StaticEncoder:
    codes = np.asarray([[100, 0], [0, 100], [50, 50], [1, 0]], np.int8)
    return StaticEncoder(["路灯", "停水", "路", "app"], codes, np.full(4, 0.01, np.float16))


def test_vectors_have_unit_length_or_are_zero(encoder: StaticEncoder) -> None:
    vectors = encoder.encode([["路灯", "停水"], ["不认识"], [], ["路灯"]])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 0, 1])


def test_an_unknown_word_is_read_by_its_characters(encoder: StaticEncoder) -> None:
    assert encoder.encode([["路噔"]]) == pytest.approx(encoder.encode([["路"]]))


def test_capitals_do_not_matter(encoder: StaticEncoder) -> None:
    assert encoder.encode([["APP"]]) == pytest.approx(encoder.encode([["app"]]))


def test_a_batch_is_its_texts_one_by_one(encoder: StaticEncoder) -> None:
    texts = [["路灯", "路"], [], ["停水"], ["不", "停水", "路灯"]]
    alone = np.vstack([encoder.encode([text]) for text in texts])
    assert encoder.encode(texts) == pytest.approx(alone)


def test_projection_is_vectors_times_weights(encoder: StaticEncoder) -> None:
    weights = np.asarray([[1.0], [2.0]], np.float32)
    assert encoder.project(weights) == pytest.approx(encoder.vectors @ weights)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="agree"):
        StaticEncoder(["a"], np.zeros((2, 2), np.int8), np.zeros(2, np.float16))

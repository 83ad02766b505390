import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from evaluation.metrics import classification_report, cohen_kappa, expected_calibration_error

LABELS = ("a", "b", "c")


@pytest.fixture
def answers() -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(5)
    truth = rng.choice(LABELS, 400, p=[0.6, 0.3, 0.1]).tolist()
    given = [t if rng.random() < 0.7 else str(rng.choice(LABELS)) for t in truth]
    return truth, given


def test_figures_are_those_of_scikit_learn(answers: tuple[list[str], list[str]]) -> None:
    truth, given = answers
    report = classification_report(truth, given, LABELS)
    assert report.accuracy.value == pytest.approx(accuracy_score(truth, given))
    assert report.macro_f1.value == pytest.approx(f1_score(truth, given, average="macro"))
    theirs = precision_recall_fscore_support(truth, given, labels=list(LABELS))
    for number, label in enumerate(LABELS):
        ours = report.per_class[label]
        assert ours["precision"] == pytest.approx(theirs[0][number])
        assert ours["recall"] == pytest.approx(theirs[1][number])
        assert ours["support"] == theirs[3][number]


def test_intervals_hold_the_figure_and_narrow_with_more_records(answers: tuple[list[str], list[str]]) -> None:
    truth, given = answers
    small = classification_report(truth[:100], given[:100], LABELS).accuracy
    large = classification_report(truth * 4, given * 4, LABELS).accuracy
    assert small.low < small.value < small.high
    assert large.high - large.low < (small.high - small.low) / 2.5


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(200):
        given = np.where(rng.random(150) < 0.8, "a", "b").tolist()
        estimate = classification_report(["a"] * 150, given, ("a", "b")).accuracy
        covered += estimate.low <= 0.8 <= estimate.high
    assert 0.88 <= covered / 200 <= 0.99


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="one at least"):
        classification_report([], [], LABELS)


def test_calibration_error_is_zero_when_confidence_is_true() -> None:
    rng = np.random.default_rng(3)
    confidence = rng.random(50_000).astype(np.float32)
    right = rng.random(50_000) < confidence
    assert expected_calibration_error(confidence, right).value < 0.02
    assert expected_calibration_error(np.ones(100, np.float32), np.zeros(100, bool)).value == pytest.approx(
        1.0
    )


def test_kappa_agrees_with_scikit_learn_and_is_one_for_one_mind() -> None:
    from sklearn.metrics import cohen_kappa_score

    first = list("aabbccabca")
    second = list("aabbcbabcc")
    found = cohen_kappa(first, second)
    assert found.value == pytest.approx(cohen_kappa_score(first, second))
    assert found.low <= found.value <= found.high
    assert cohen_kappa(first, first).value == 1.0
    assert cohen_kappa(["a"] * 4, ["a"] * 4).value == 1.0
    with pytest.raises(ValueError, match="as many"):
        cohen_kappa(first, second[:-1])

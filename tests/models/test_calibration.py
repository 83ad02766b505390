import numpy as np
import pytest

from models.calibration import fit_scaling, threshold_for_accuracy, threshold_for_f
from models.heads import probabilities


def test_scaling_recovers_the_probabilities_scores_were_drawn_from() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6000, 3)).astype(np.float32)
    given = probabilities(logits * 2 + np.asarray([0.5, 0, -0.5], np.float32), exclusive=True)
    truth = np.asarray([rng.choice(3, p=row / row.sum()) for row in given.astype(float)])
    scale, shift = fit_scaling(logits, truth, exclusive=True)
    assert scale == pytest.approx([2, 2, 2], abs=0.2)
    assert shift - shift.mean() == pytest.approx([0.5, 0, -0.5], abs=0.15)


def test_independent_labels_are_scaled_each() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(8000, 2)).astype(np.float32)
    truth = rng.random((8000, 2)) < probabilities(
        logits * np.asarray([1, 4], np.float32) - 1, exclusive=False
    )
    scale, shift = fit_scaling(logits, truth, exclusive=False)
    assert scale == pytest.approx([1, 4], rel=0.15)
    assert shift == pytest.approx([-1, -1], abs=0.2)


def test_accuracy_threshold_is_the_lowest_that_holds() -> None:
    confidence = np.asarray([0.9, 0.8, 0.7, 0.6], np.float32)
    right = np.asarray([True, True, False, True])
    assert threshold_for_accuracy(confidence, right, 1.0) == pytest.approx(0.8)
    assert threshold_for_accuracy(confidence, right, 0.75) == pytest.approx(0.6)
    assert threshold_for_accuracy(confidence, ~right, 1.0) == 1.0


def test_a_larger_beta_never_lowers_recall() -> None:
    rng = np.random.default_rng(2)
    truth = rng.random(500) < 0.1
    score = (truth * 0.3 + rng.random(500)).astype(np.float32)
    thresholds = [threshold_for_f(score, truth, beta) for beta in (0.5, 1.0, 2.0, 4.0)]
    assert thresholds == sorted(thresholds, reverse=True)

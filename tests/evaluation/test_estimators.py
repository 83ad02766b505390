import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.estimators import estimate_shares
from evaluation.metrics import wilson
from evaluation.sampling import allocate, draw, planned_half_width, stratify


def one_group(right: list[bool], strata: list[int], sizes: list[float]):
    n = len(right)
    return estimate_shares(
        np.asarray(right), np.ones(n, bool), np.zeros(n, np.int64), 1, np.asarray(strata), np.asarray(sizes)
    )


def test_the_estimate_weighs_strata_by_their_population() -> None:
    found = one_group([True, True, False, False], [0, 0, 1, 1], [900.0, 100.0])
    assert found.value[0] == pytest.approx(0.9)
    assert found.population[0] == pytest.approx(1000)


def test_the_error_is_that_of_the_textbook() -> None:
    # Cochran 1977, §5.6: each stratum's n·p·q/(n-1) with one case of the pooled share lent, over both strata
    right = [True] * 8 + [False] * 2 + [True] * 5 + [False] * 5
    found = one_group(right, [0] * 10 + [1] * 10, [100.0, 300.0])
    pooled = 0.25 * 0.8 + 0.75 * 0.5
    lent, variance = 1.5, 0.0
    for weight, size, hits in ((0.25, 100, 8), (0.75, 300, 5)):
        residuals = np.asarray([1 - pooled] * hits + [-pooled] * (10 - hits))
        spread = (np.square(residuals).sum() + lent * pooled * (1 - pooled)) / (10 + lent)
        spread = (spread - (residuals.sum() / (10 + lent)) ** 2) * 10 / 9
        variance += weight**2 * (1 - 10 / size) * spread / 10
    assert found.value[0] == pytest.approx(pooled)
    assert found.error[0] == pytest.approx(np.sqrt(variance))


def test_a_census_leaves_nothing_to_estimate() -> None:
    found = one_group([True, False, True], [0, 0, 1], [2.0, 1.0])
    assert (found.low[0], found.value[0], found.high[0]) == pytest.approx((2 / 3, 2 / 3, 2 / 3))


def test_a_flawless_sample_keeps_a_doubt() -> None:
    found = one_group([True] * 20, [0] * 20, [1000.0])
    assert found.high[0] == pytest.approx(1.0)
    assert found.low[0] == pytest.approx(wilson(20, 20).low, abs=0.02)


def test_a_group_nobody_judged_has_no_figure() -> None:
    found = estimate_shares(
        np.asarray([True]), np.asarray([True]), np.asarray([0]), 2, np.asarray([0]), np.asarray([9.0])
    )
    assert np.isnan([found.value[1], found.low[1], found.high[1]]).all()


def test_more_cases_than_a_stratum_holds_is_an_error() -> None:
    with pytest.raises(ValueError, match="inclusion probability"):
        one_group([True, True], [0, 0], [1.0])


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=60),
    st.integers(1, 50),
)
@settings(max_examples=60, deadline=None)
def test_intervals_hold_their_estimate_and_stay_between_0_and_1(cases, more: int) -> None:
    right, strata, groups = (np.asarray(column) for column in zip(*cases, strict=True))
    sizes = np.bincount(strata, minlength=4) + more
    found = estimate_shares(right, np.ones(len(right), bool), groups, 3, strata, sizes.astype(float))
    told = found.cases > 0
    assert (found.low[told] <= found.value[told] + 1e-9).all()
    assert (found.value[told] <= found.high[told] + 1e-9).all()
    assert (found.low[told] >= 0).all()
    assert (found.high[told] <= 1).all()
    drawn = np.unique(strata)
    assert found.population.sum() == pytest.approx(sizes[drawn].sum())


def test_a_narrower_interval_costs_more_cases() -> None:
    sizes, expected = np.asarray([5000, 3000, 40]), np.asarray([0.95, 0.8, 0.6])
    wide, narrow = (allocate(sizes, expected, width, 10) for width in (0.05, 0.02))
    assert (narrow >= wide).all()
    assert (narrow <= sizes).all()
    assert (wide >= 10).all()
    assert planned_half_width(sizes, expected, narrow) <= 0.0201
    with pytest.raises(ValueError, match="half width"):
        allocate(sizes, expected, 0.7, 10)


def test_the_draw_takes_each_stratums_share_and_the_same_with_the_same_seed() -> None:
    codes, names = stratify(["a", "b", "a", "b", "a"] * 40, np.linspace(0, 1, 200), (0.5,))
    assert names == ["a|0.00-0.50", "a|0.50-1.00", "b|0.00-0.50", "b|0.50-1.00"]
    cases = np.asarray([3, 4, 5, 6])
    chosen = draw(codes, cases, seed=9)
    assert np.bincount(codes[chosen]).tolist() == [3, 4, 5, 6]
    assert len(set(chosen.tolist())) == 18
    assert (draw(codes, cases, seed=9) == chosen).all()


def test_every_row_of_a_stratum_is_as_likely_drawn() -> None:
    codes = np.repeat([0, 1], [10, 40])
    counts = np.zeros(50)
    for seed in range(2000):
        counts[draw(codes, np.asarray([5, 4]), seed)] += 1
    assert counts[:10] == pytest.approx(np.full(10, 1000), rel=0.12)
    assert counts[10:] == pytest.approx(np.full(40, 200), rel=0.35)

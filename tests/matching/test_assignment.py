"""Laws of assignment: no capacity broken, nobody given two, and together the best there is."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.assignment import assign
from matching.records import Match, Matching

NAMES = ("A", "B", "C")
OFFERS = st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1), max_size=3)
LEFT = st.fixed_dictionaries({name: st.one_of(st.none(), st.integers(0, 2)) for name in NAMES})


def matching(offers: dict[str, float]) -> Matching:
    return Matching(tuple(Match(name, name, score, ()) for name, score in offers.items()), "c")


@settings(deadline=None)
@given(st.lists(st.tuples(OFFERS, st.integers(0, 2)), max_size=5), LEFT)
def test_the_assignment_is_the_best_of_all(requests: list, left: dict[str, int | None]) -> None:
    ranks = [rank for _, rank in requests]
    given_out = assign([matching(offers) for offers, _ in requests], left, ranks)
    taken = [one.match.resource_id if one.match else None for one in given_out]

    def allowed(choice: tuple[str | None, ...]) -> bool:
        return all(left[name] is None or choice.count(name) <= left[name] for name in NAMES)

    def worth(choice: tuple[str | None, ...]) -> float:
        chosen = zip(choice, requests, strict=True)
        return sum(2 * (1 + rank) + offers[name] for name, (offers, rank) in chosen if name)

    every = product(*([None, *offers] for offers, _ in requests))
    assert allowed(tuple(taken))
    assert worth(tuple(taken)) == pytest.approx(max(worth(one) for one in every if allowed(one)), abs=1e-6)
    for one, (offers, _) in zip(given_out, requests, strict=True):
        assert one.match is None or one.match.resource_id in offers
        assert one.crowded_out == (one.match is None and bool(offers))


def test_nobody_is_left_out_for_a_better_score() -> None:
    both, only_a = matching({"A": 1.0, "B": 0.1}), matching({"A": 0.1})
    taken = [one.match.resource_id for one in assign([both, only_a], {"A": 1, "B": 1}) if one.match]
    assert taken == ["B", "A"]


def test_the_pressing_come_first() -> None:
    calm, pressing = matching({"A": 1.0}), matching({"A": 0.2})
    first, second = assign([calm, pressing], {"A": 1}, [0, 1])
    assert first.match is None
    assert first.crowded_out
    assert second.match is not None


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="negative capacity"):
        assign([matching({"A": 1.0})], {"A": -1})
    with pytest.raises(ValueError, match="rank"):
        assign([matching({"A": 1.0})], {"A": 1}, [0, 1])

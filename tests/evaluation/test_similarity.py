import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.similarity import families, sharing_runs, similar_pairs

TEXT = st.text(alphabet="路灯坏了停水三天，。 没人管", min_size=1, max_size=30)


def jaccard(a: str, b: str) -> float:
    import re

    def grams(text: str) -> set[str]:
        plain = re.sub(r"[\W_]+", "", text)
        return {plain[n : n + 3] for n in range(max(len(plain) - 2, 1))}

    return len(grams(a) & grams(b)) / len(grams(a) | grams(b))


@given(st.lists(TEXT, min_size=2, max_size=8), st.floats(0.05, 1.0))
def test_pairs_are_those_of_a_plain_count(texts: list[str], bound: float) -> None:
    found = {(a, b): value for a, b, value in similar_pairs(texts, bound)}
    for a in range(len(texts)):
        for b in range(a + 1, len(texts)):
            expected = jaccard(texts[a], texts[b])
            if expected > bound + 1e-6:
                assert found[a, b] == pytest.approx(expected)
            elif expected < bound - 1e-6:
                assert (a, b) not in found


def test_families_join_through_relatives() -> None:
    labels = families(5, [(0, 1, 0.5), (1, 3, 0.4)])
    assert labels[0] == labels[1] == labels[3]
    assert len(set(labels)) == 3


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=10), st.text(max_size=10))
def test_a_shared_run_is_found(common: str, other: str, before: str, after: str) -> None:
    plain = "".join(common.split())
    found = sharing_runs([before + common + after], [other + common], 12)
    if len(plain) >= 12:
        assert found == [0]
    if not set("".join((before + common + after).split())) & set("".join((other + common).split())):
        assert found == []

"""Laws of a stock that changes while it answers."""

import random
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.records import Resource
from matching.stock import Stock
from models.identifier import Identifier
from nlp.records import Message

IDENTIFIER = Identifier.load()
CATALOGUE, _ = Catalogue.load(IDENTIFIER.taxonomy)
RESOURCES = CATALOGUE.resources[:40]
FOUND = IDENTIFIER.identify_needs([Message("停水两天了，家里有八十多岁的老人", "1", district="南桥区")])


def matcher(resources: tuple[Resource, ...] = RESOURCES) -> Matcher:
    return Matcher(IDENTIFIER, Catalogue(resources))


def answers(one: Matcher) -> list[tuple[str, float]]:
    return [(m.resource_id, m.score) for m in one.match_primary(FOUND)[0].matches]


CHANGES = st.lists(
    st.tuples(st.booleans(), st.lists(st.integers(0, 39), min_size=1, max_size=6, unique=True)), max_size=8
)


@settings(max_examples=15, deadline=None)
@given(CHANGES)
def test_a_changed_stock_holds_what_a_fresh_one_would(changes: list[tuple[bool, list[int]]]) -> None:
    changed = matcher(RESOURCES[:10])
    expected = {resource.id: resource for resource in RESOURCES[:10]}
    for added, numbers in changes:
        chosen = [RESOURCES[n] for n in numbers]
        if added:
            version = changed.put(chosen)
            expected |= {resource.id: resource for resource in chosen}
        else:
            version = changed.remove([resource.id for resource in chosen])
            expected = {key: one for key, one in expected.items() if one not in chosen}
        assert version == changed.version
    assert dict(changed.resources) == expected
    assert changed.version == matcher(tuple(expected.values())).version


def test_what_is_put_is_found_and_what_is_removed_is_not() -> None:
    one = matcher()
    assert "R302" in dict(answers(one))
    before = one.version
    assert one.remove(["R302", "no such id"]) != before
    assert "R302" not in dict(answers(one))
    assert one.put([resource for resource in RESOURCES if resource.id == "R302"]) == before
    assert "R302" in dict(answers(one))


def test_a_paused_resource_is_no_longer_offered() -> None:
    one = matcher()
    one.put([replace(one.resources["R302"], status="temporarily closed")])
    assert "R302" not in dict(answers(one))
    assert one.resources["R302"].status == "temporarily closed"


def test_what_was_handed_out_does_not_change() -> None:
    one = matcher()
    seen = one.resources
    one.remove(["R302"])
    assert "R302" in seen
    assert "R302" not in one.resources
    assert len(seen) == len(RESOURCES) == len(list(seen))


def test_an_id_given_twice_and_an_unknown_domain_are_refused() -> None:
    one = matcher()
    before = one.version
    with pytest.raises(ValueError, match="given twice"):
        one.put([RESOURCES[0], RESOURCES[0]])
    with pytest.raises(ValueError, match="does not list"):
        one.put([RESOURCES[1], replace(RESOURCES[0], domains=("astrology",))])
    assert one.version == before


def test_the_smaller_segments_are_folded_into_the_larger() -> None:
    one = matcher(RESOURCES[:4])
    for resource in RESOURCES:
        one.put([resource])
    stock = one.resources
    assert isinstance(stock, Stock)
    assert len(stock.parts) == 1
    assert len(stock.parts[0].segment) == len(RESOURCES)


def test_nobody_sees_half_a_change_while_others_change() -> None:
    """Resources go in and out in pairs: an answer holds both or none, and is of a version that once was."""
    pair = tuple(replace(CATALOGUE.resources[1], id=name) for name in ("P1", "P2"))
    one = matcher()
    versions = {one.version}
    torn: list[str] = []
    done = threading.Event()

    def change() -> None:
        for _ in range(12):
            versions.add(one.put(pair))
            versions.add(one.remove(["P1", "P2"]))
        done.set()

    def look() -> None:
        while not done.is_set():
            seen = one.resources
            if ("P1" in seen) != ("P2" in seen):
                torn.append("stock")
            matching = one.match_primary(FOUND, k=50)[0]
            ids = {match.resource_id for match in matching.matches}
            if ("P1" in ids) != ("P2" in ids):
                torn.append("answer")
            seen_versions.append(matching.catalogue)

    seen_versions: list[str] = []
    threads = [threading.Thread(target=look) for _ in range(2)] + [threading.Thread(target=change)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torn == []
    assert seen_versions
    assert set(seen_versions) <= versions


def test_changes_from_several_threads_are_all_kept() -> None:
    one = matcher(RESOURCES[:1])

    def put(resources: list[Resource]) -> None:
        for resource in resources:
            one.put([resource])

    shuffled = list(RESOURCES)
    random.Random(5).shuffle(shuffled)
    threads = [threading.Thread(target=put, args=(shuffled[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dict(one.resources) == {resource.id: resource for resource in RESOURCES}
    assert one.version == matcher().version

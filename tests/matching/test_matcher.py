import random

import pytest

from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.rules import RuleBook
from models.identifier import Identifier
from nlp.records import Message

IDENTIFIER = Identifier.load()
CATALOGUE, PROBLEMS = Catalogue.load(IDENTIFIER.taxonomy)
DISTRICTS = sorted({district for resource in CATALOGUE.resources for district in resource.districts} - {"*"})
TEXTS = (
    "停水两天了，家里有八十多岁的老人",
    "老板拖欠我们三个月工资不给",
    "想找个地方跟邻居们一起看看书",
    "夜里工地打桩吵得睡不着",
    "预付卡的店跑路了，钱能要回来吗",
)


def requests() -> list[Message]:
    return [
        Message(text, f"{n}-{district}", district=district)
        for n, text in enumerate(TEXTS)
        for district in [*DISTRICTS, None]
    ]


def test_the_shipped_catalogue_has_no_bad_row() -> None:
    assert PROBLEMS == []


def test_no_match_breaks_a_rule_and_ranks_are_sorted_and_unique() -> None:
    found = IDENTIFIER.identify(requests())
    rules = RuleBook.of(CATALOGUE.resources)
    numbers = {resource.id: number for number, resource in enumerate(CATALOGUE.resources)}
    matchings = Matcher(IDENTIFIER, CATALOGUE).match_primary(found, {one.id: {"age": 45} for one in found})
    assert any(matching.matches for matching in matchings)
    for one, matching in zip(found, matchings, strict=True):
        ids = [match.resource_id for match in matching.matches]
        scores = [match.score for match in matching.matches]
        assert len(ids) == len(set(ids)) <= 5
        assert scores == sorted(scores, reverse=True)
        assert all(0.0 <= score <= 1.0 for score in scores)
        if one.needs:
            allowed = rules.allowed(one.prepared.district, one.needs[0].tier, {"age": 45})
            assert all(allowed[numbers[resource_id]] for resource_id in ids)


def test_the_order_of_the_catalogue_does_not_matter() -> None:
    shuffled = list(CATALOGUE.resources)
    random.Random(3).shuffle(shuffled)
    other = Catalogue(tuple(shuffled))
    assert other.version == CATALOGUE.version
    found = IDENTIFIER.identify(requests())
    one, two = (Matcher(IDENTIFIER, catalogue).match_primary(found) for catalogue in (CATALOGUE, other))
    for left, right in zip(one, two, strict=True):
        assert [m.resource_id for m in left.matches] == [m.resource_id for m in right.matches]
        assert [m.score for m in left.matches] == pytest.approx([m.score for m in right.matches], abs=1e-3)


def test_an_empty_catalogue_fits_nothing() -> None:
    matchings = Matcher(IDENTIFIER, Catalogue(())).match_primary(IDENTIFIER.identify(requests()))
    assert all(matching.no_fit for matching in matchings)

import random
from dataclasses import replace
from pathlib import Path

import pytest

from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.ranking import READINGS, Ranker, RankerError
from matching.records import CERTAIN_TIER, Request
from matching.rules import RuleBook
from models.identifier import Identifier
from models.records import Need
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


NEED = Need("housing", "basic", 0.9, TEXTS[0], ())


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
    matchings = Matcher(IDENTIFIER, CATALOGUE).match_primary(found, [{"age": 45}] * len(found))
    assert any(matching.matches for matching in matchings)
    for one, matching in zip(found, matchings, strict=True):
        ids = [match.resource_id for match in matching.matches]
        scores = [match.score for match in matching.matches]
        assert len(ids) == len(set(ids)) <= 5
        assert scores == sorted(scores, reverse=True)
        assert all(0.0 <= score <= 1.0 for score in scores)
        if one.needs:
            need = one.needs[0]
            tier = need.tier if need.tier_confidence >= CERTAIN_TIER else None
            allowed = rules.allowed(one.prepared.district, tier, {"age": 45})
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


def test_a_ranker_survives_its_file(tmp_path: Path) -> None:
    ranker = Ranker.load()
    (tmp_path / "ranker.json").write_text(ranker.to_json(), "utf-8")
    assert Ranker.load(tmp_path / "ranker.json") == ranker
    (tmp_path / "other.json").write_text('{"weights": {"dense": 1}, "bias": 0, "fits_from": 0}', "utf-8")
    with pytest.raises(RankerError, match="resources learn"):
        Ranker.load(tmp_path / "other.json")


def test_a_higher_threshold_offers_less() -> None:
    found = IDENTIFIER.identify_needs(requests())
    strict = replace(Ranker.load(), fits_from=1.01)
    assert all(one.no_fit for one in Matcher(IDENTIFIER, CATALOGUE, strict).match_primary(found))
    lenient = replace(Ranker.load(), fits_from=0.0)
    assert not any(one.no_fit for one in Matcher(IDENTIFIER, CATALOGUE, lenient).match_primary(found))


def test_readings_stand_in_their_order() -> None:
    request = Request(IDENTIFIER.identify_needs(requests())[0], NEED, DISTRICTS[0])
    considered = Matcher(IDENTIFIER, CATALOGUE).read([request])[0]
    readings = considered.readings
    assert readings.shape == (len(considered.resources), len(READINGS))
    assert readings[:, READINGS.index("dense_lead")].max() == pytest.approx(0, abs=1e-6)
    assert set(readings[:, READINGS.index("local")].tolist()) <= {0.0, 1.0}


def test_two_messages_without_an_id_keep_their_own_facts() -> None:
    messages = [Message(TEXTS[0], district="南桥区")] * 2
    found = IDENTIFIER.identify_needs(messages)
    matcher = Matcher(IDENTIFIER, CATALOGUE, replace(Ranker.load(), fits_from=0.0))
    old, young = matcher.match_primary(found, [{"age": 85}, {"age": 20}], k=50)
    assert "R301" in {match.resource_id for match in old.matches}
    assert "R301" not in {match.resource_id for match in young.matches}

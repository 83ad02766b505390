"""Laws of exchange: what goes out comes back the same, and what is broken is named."""

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.catalogue import Catalogue, load_resources, save_resources
from matching.hsds import from_service
from matching.records import Capacity, Eligibility, EligibilityRule, Location, Resource, Schedule
from nlp.tables import TableError
from nlp.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
CATALOGUE, _ = Catalogue.load(TAXONOMY)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
TIMES = st.sampled_from(["", "08:00", "17:30"])
RULES = st.one_of(
    st.builds(EligibilityRule, st.just("age"), st.sampled_from([">=", "<="]), st.integers(0, 100)),
    st.builds(EligibilityRule, st.just("household"), st.just("in"), st.just(("本市", "外地"))),
    st.builds(EligibilityRule, st.just("veteran"), st.just("=="), st.booleans()),
)
RESOURCES = st.builds(
    Resource,
    id=WORDS,
    name=WORDS,
    organization=st.one_of(st.just(""), WORDS),
    description=st.one_of(st.just(""), WORDS),
    kind=st.sampled_from(["material", "intellectual", "emotional"]),
    domains=st.sampled_from([("housing",), ("education", "culture")]),
    tiers=st.sampled_from([(), ("basic", "vision")]),
    topics=st.sampled_from([(), ("water",)]),
    districts=st.sampled_from([("*",), ("南桥区",), ("南桥区", "临江区")]),
    eligibility=st.builds(Eligibility, st.one_of(st.just(""), WORDS), st.lists(RULES, max_size=2).map(tuple)),
    capacity=st.one_of(
        st.none(),
        st.builds(Capacity, st.integers(0, 9), st.sampled_from(["day", "total"]), st.integers(0, 9)),
    ),
    status=st.sampled_from(["active", "temporarily closed"]),
    schedule=st.lists(st.builds(Schedule, st.just(("MO", "SU")), TIMES, TIMES), max_size=2).map(tuple),
    location=st.builds(Location, st.one_of(st.just(""), WORDS), st.one_of(st.just(""), WORDS)),
    languages=st.sampled_from([(), ("zh",), ("zh", "yue")]),
    cost=st.sampled_from(["", "免费"]),
    assured_date=st.one_of(st.none(), st.dates(date(2000, 1, 1), date(2040, 1, 1))),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RESOURCES, max_size=4, unique_by=lambda one: one.id))
@pytest.mark.parametrize("name", ["resources.json", "package", "resources.jsonl"])
def test_resources_come_back_as_they_went(name: str, tmp_path: Path, resources: list[Resource]) -> None:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}-{name}"
    if not resources and name != "resources.json":
        return
    save_resources(path, resources)
    catalogue, problems = load_resources(path, TAXONOMY)
    assert problems == []
    assert {one.id: one for one in catalogue.resources} == {one.id: one for one in resources}


@pytest.mark.parametrize("name", ["r.json", "package", "r.jsonl", "r.csv", "r.xlsx", "r.parquet"])
def test_the_shipped_catalogue_survives_every_format(name: str, tmp_path: Path) -> None:
    save_resources(tmp_path / name, CATALOGUE.resources)
    catalogue, problems = load_resources(tmp_path / name, TAXONOMY)
    assert problems == []
    assert catalogue.version == CATALOGUE.version


def test_a_service_of_another_publisher_is_read_as_far_as_it_goes() -> None:
    row = from_service(
        {
            "id": "ac148810-d857-441c-9679-408f346de14b",
            "name": "Counselling",
            "status": "active",
            "minimum_age": 12,
            "schedules": [
                {"id": "1", "freq": "WEEKLY", "byday": "MO,TU", "opens_at": "10:00:00+08:00"},
                {"id": "2", "freq": "MONTHLY", "byday": "2MO"},
            ],
            "capacities": [{"id": "3", "unit": {"id": "4", "name": "beds"}, "available": 3, "maximum": 10}],
        }
    )
    assert row["eligibility"]["rules"] == [{"field": "age", "op": ">=", "value": 12.0}]
    assert row["schedule"] == [{"days": ["MO", "TU"], "opens_at": "10:00", "closes_at": ""}]
    assert row["capacity"] == {"limit": 10, "period": "total", "used": 7}
    assert row["districts"] == ["*"]


@pytest.mark.parametrize(
    "service",
    [[], 5, {"attributes": [3]}, {"schedules": "daily"}, {"id": "x", "name": "无领域", "status": "active"}],
)
def test_a_broken_service_is_named_and_skipped(service: object, tmp_path: Path) -> None:
    path = tmp_path / "services.json"
    save_resources(path, CATALOGUE.resources[:1])
    path.write_text(json.dumps([service, *json.loads(path.read_text("utf-8"))]), "utf-8")
    catalogue, problems = load_resources(path, TAXONOMY)
    assert [one.id for one in catalogue.resources] == [CATALOGUE.resources[0].id]
    assert [problem.line for problem in problems] == [1]


def test_what_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{", "utf-8")
    with pytest.raises(TableError, match="not JSON"):
        load_resources(tmp_path / "broken.json", TAXONOMY)
    with pytest.raises(TableError, match=r"services\.csv"):
        load_resources(tmp_path, TAXONOMY)

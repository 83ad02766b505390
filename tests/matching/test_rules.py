from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.records import (
    ACTIVE,
    EVERYWHERE,
    STATUSES,
    Capacity,
    Eligibility,
    EligibilityRule,
    Resource,
    Schedule,
)
from matching.rules import RuleBook, areas, holds, is_available, is_open, open_questions, refusals

DISTRICTS = ("甲区", "乙区")
TIERS = ("basic", "vision")
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "age": st.integers(0, 100),
        "household": st.sampled_from(["本市", "外地"]),
        "veteran": st.sampled_from([True, False, "是"]),
        "needed_at": st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(datetime.isoformat),
    },
)
RULES = st.one_of(
    st.builds(EligibilityRule, st.just("age"), st.sampled_from([">=", "<="]), st.integers(0, 100)),
    st.builds(EligibilityRule, st.just("household"), st.sampled_from(["in", "not_in"]), st.just(("本市",))),
    st.builds(EligibilityRule, st.just("veteran"), st.just("=="), st.booleans()),
    st.builds(EligibilityRule, st.just("residence"), st.just("=="), st.sampled_from(DISTRICTS)),
)
HOURS = st.builds(
    Schedule,
    st.sets(st.sampled_from(["MO", "WE", "SA"]), min_size=1).map(lambda days: tuple(sorted(days))),
    st.sampled_from(["", "08:00"]),
    st.sampled_from(["", "17:30"]),
)
RESOURCES = st.builds(
    Resource,
    id=st.just("R"),
    name=st.just("名"),
    organization=st.just("组织"),
    description=st.just("说明"),
    kind=st.just("material"),
    domains=st.just(("housing",)),
    tiers=st.sampled_from([(), ("basic",), TIERS]),
    districts=st.sampled_from([(EVERYWHERE,), ("甲区",), DISTRICTS]),
    eligibility=st.builds(Eligibility, st.just(""), st.lists(RULES, max_size=3).map(tuple)),
    capacity=st.one_of(st.none(), st.builds(Capacity, st.integers(0, 3), st.just("day"), st.integers(0, 4))),
    status=st.sampled_from(STATUSES),
    schedule=st.lists(HOURS, max_size=2).map(tuple),
)


@given(
    st.lists(RESOURCES, min_size=1, max_size=6),
    st.one_of(st.none(), st.sampled_from([*DISTRICTS, "丙区"])),
    st.one_of(st.none(), st.sampled_from([*TIERS, "development"])),
    FACTS,
)
def test_what_is_allowed_breaks_no_rule_and_what_is_not_breaks_one(resources, district, tier, facts) -> None:
    allowed = RuleBook.of(resources).allowed(district, tier, facts)
    known = facts if district is None else {"residence": district, **facts}
    for resource, allows in zip(resources, allowed, strict=True):
        broken = (
            resource.status != ACTIVE
            or (resource.capacity is not None and resource.capacity.used >= resource.capacity.limit)
            or (district is not None and not {district, EVERYWHERE} & set(resource.districts))
            or (tier is not None and resource.tiers != () and tier not in resource.tiers)
            or any(holds(rule, known) is False for rule in resource.eligibility.rules)
            or (
                "needed_at" in facts
                and not is_open(resource.schedule, datetime.fromisoformat(facts["needed_at"]))
            )
        )
        assert allows == (not broken)
        assert bool(refusals(resource, district, tier, facts)) == broken


@given(RESOURCES)
def test_what_is_not_known_is_asked_and_never_held_against_anyone(resource: Resource) -> None:
    open_to_all = replace(resource, status=ACTIVE, capacity=None)
    assert is_available(open_to_all)
    assert RuleBook.of([open_to_all]).allowed(None, None, {})[0]
    fields = {rule.field for rule in resource.eligibility.rules}
    fields |= set() if EVERYWHERE in resource.districts else {"residence"}
    assert len(open_questions(open_to_all, None, {})) == len(fields)


@pytest.mark.parametrize("known", ["八十", "80", True, float("nan")])
def test_an_age_that_is_no_number_is_not_known(known: bool | float | str) -> None:
    assert holds(EligibilityRule("age", ">=", 60), {"age": known}) is None


def test_a_yes_in_words_is_not_known() -> None:
    assert holds(EligibilityRule("veteran", "==", True), {"veteran": "是"}) is None
    assert holds(EligibilityRule("veteran", "in", (True,)), {"veteran": False}) is False


def test_a_path_of_areas_is_served_by_who_serves_one_of_them() -> None:
    assert areas("澜川市/南桥区") == ("澜川市/南桥区", "澜川市", "南桥区")
    assert areas("新湖区") == ("新湖区",)
    assert areas(None) == ()


@pytest.mark.parametrize(
    ("moment", "open_then"),
    [("2026-11-25T09:00", True), ("2026-11-25T07:59", False), ("2026-11-26T09:00", False)],
)
def test_opening_hours(moment: str, open_then: bool) -> None:
    hours = (Schedule(("WE",), "08:00", "17:30"),)
    assert is_open(hours, datetime.fromisoformat(moment)) == open_then
    assert is_open((), datetime.fromisoformat(moment))

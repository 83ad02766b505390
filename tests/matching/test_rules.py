from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from matching.records import ACTIVE, EVERYWHERE, STATUSES, Capacity, Eligibility, EligibilityRule, Resource
from matching.rules import RuleBook, holds, is_available, open_questions

DISTRICTS = ("甲区", "乙区")
TIERS = ("basic", "vision")
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "age": st.integers(0, 100),
        "household": st.sampled_from(["本市", "外地"]),
        "veteran": st.booleans(),
    },
)
RULES = st.one_of(
    st.builds(EligibilityRule, st.just("age"), st.sampled_from([">=", "<="]), st.integers(0, 100)),
    st.builds(EligibilityRule, st.just("household"), st.sampled_from(["in", "not_in"]), st.just(("本市",))),
    st.builds(EligibilityRule, st.just("veteran"), st.just("=="), st.booleans()),
    st.builds(EligibilityRule, st.just("residence"), st.just("=="), st.sampled_from(DISTRICTS)),
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
        )
        assert allows == (not broken)


@given(RESOURCES)
def test_what_is_not_known_is_asked_and_never_held_against_anyone(resource: Resource) -> None:
    open_to_all = replace(resource, status=ACTIVE, capacity=None)
    assert is_available(open_to_all)
    assert RuleBook.of([open_to_all]).allowed(None, None, {})[0]
    fields = {rule.field for rule in resource.eligibility.rules}
    assert len(open_questions(open_to_all, None, {})) == len(fields)

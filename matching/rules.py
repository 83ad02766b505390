"""Rules before scores: what a resource may not be offered for, whatever its score.

Status, capacity, district and tier answer yes or no. Eligibility answers yes, no or unknown: what is not
known of a person is asked, never held against them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.records import ACTIVE, EVERYWHERE, EligibilityRule, Fact, Resource

FIELD_NAMES = {
    "age": "年龄",
    "household": "户籍",
    "residence": "居住地",
    "disability": "残疾情况",
    "income": "收入情况",
    "employment": "就业情况",
    "veteran": "是否退役军人",
    "pregnant": "是否怀孕",
    "gender": "性别",
    "tenure": "住房情况",
    "child_age": "子女年龄",
}


def holds(rule: EligibilityRule, facts: Mapping[str, Fact]) -> bool | None:
    """Whether a rule holds for what is known of a person; None where that is not known."""
    known = facts.get(rule.field)
    if known is None:
        return None
    wanted = rule.value
    if rule.op in ("in", "not_in"):
        among = wanted if isinstance(wanted, tuple) else (wanted,)
        return (known in among) == (rule.op == "in")
    if rule.op == "==":
        return known == wanted
    numbers = isinstance(known, int | float) and isinstance(wanted, int | float)
    if not numbers:
        return None
    return float(known) >= float(wanted) if rule.op == ">=" else float(known) <= float(wanted)  # type: ignore[arg-type]


@dataclass(frozen=True)
class RuleBook:
    """The rules of a catalogue as arrays over its resources, in catalogue order."""

    available: NDArray[np.bool_]
    districts: Mapping[str, NDArray[np.bool_]]
    tiers: Mapping[str, NDArray[np.bool_]]
    rules: tuple[EligibilityRule, ...]
    rule_owners: tuple[NDArray[np.int64], ...]

    @classmethod
    def of(cls, resources: Sequence[Resource]) -> RuleBook:
        """The rule book of resources in order."""
        everywhere = np.asarray([EVERYWHERE in resource.districts for resource in resources], bool)
        any_tier = np.asarray([not resource.tiers for resource in resources], bool)
        owners: dict[EligibilityRule, list[int]] = {}
        for number, resource in enumerate(resources):
            for rule in resource.eligibility.rules:
                owners.setdefault(rule, []).append(number)
        return cls(
            np.asarray([is_available(resource) for resource in resources], bool),
            _members([resource.districts for resource in resources], everywhere) | {EVERYWHERE: everywhere},
            _members([resource.tiers for resource in resources], any_tier) | {EVERYWHERE: any_tier},
            tuple(owners),
            tuple(np.asarray(numbers, np.int64) for numbers in owners.values()),
        )

    def allowed(self, district: str | None, tier: str | None, facts: Mapping[str, Fact]) -> NDArray[np.bool_]:
        """Which resources (n_resources) may be offered; an unknown district or tier excludes none."""
        allowed = self.available.copy()
        if district is not None:
            allowed &= self.districts.get(district, self.districts[EVERYWHERE])
        if tier is not None:
            allowed &= self.tiers.get(tier, self.tiers[EVERYWHERE])
        known = {"residence": district, **facts} if district is not None else dict(facts)
        for rule, owners in zip(self.rules, self.rule_owners, strict=True):
            if holds(rule, known) is False:
                allowed[owners] = False
        return allowed


def _members(groups: Sequence[Sequence[str]], always: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    numbers: dict[str, list[int]] = {}
    for number, names in enumerate(groups):
        for name in names:
            numbers.setdefault(name, []).append(number)
    members = {}
    for name, rows in numbers.items():
        mask = always.copy()
        mask[rows] = True
        members[name] = mask
    return members


def is_available(resource: Resource) -> bool:
    """Whether a resource is active and has capacity left."""
    return resource.status == ACTIVE and (resource.capacity is None or resource.capacity.left > 0)


def open_questions(resource: Resource, district: str | None, facts: Mapping[str, Fact]) -> tuple[str, ...]:
    """What must still be asked of the person before this resource is offered, in Chinese."""
    known = {"residence": district, **facts} if district is not None else dict(facts)
    fields = dict.fromkeys(rule.field for rule in resource.eligibility.rules if holds(rule, known) is None)
    return tuple(FIELD_NAMES.get(field, field) for field in fields)


def rule_counts(resource: Resource, district: str | None, facts: Mapping[str, Fact]) -> tuple[int, int]:
    """How many of a resource's eligibility rules are known to hold, and how many are not known."""
    known = {"residence": district, **facts} if district is not None else dict(facts)
    answers = [holds(rule, known) for rule in resource.eligibility.rules]
    return sum(answer is True for answer in answers), sum(answer is None for answer in answers)

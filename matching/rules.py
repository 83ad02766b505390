"""Rules before scores: what a resource may not be offered for, whatever its score.

Status, capacity, district, tier and opening hours answer yes or no. Eligibility answers yes, no or unknown: what is
not known of a person is asked, never held against them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.records import ACTIVE, EVERYWHERE, NEEDED_AT, EligibilityRule, Fact, Resource, Schedule

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
_OPERATORS = {">=": "不低于", "<=": "不高于", "==": "为", "in": "属于", "not_in": "不属于"}
_STATUSES = {"inactive": "已停用", "defunct": "已撤销", "temporarily closed": "暂停服务"}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BETWEEN_AREAS = re.compile(r"[/／>,，、\s]+")

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


def holds(rule: EligibilityRule, facts: Mapping[str, Fact]) -> bool | None:
    """Whether a rule holds for what is known of a person; None where that is not known.

    A fact of another kind than the rule asks for (an age in words, "是" for true) is not known.
    """
    known = facts.get(rule.field)
    wanted = rule.value
    if known is None or (isinstance(known, float) and math.isnan(known)):
        return None
    among = wanted if isinstance(wanted, tuple) else (wanted,)
    if rule.op in ("in", "not_in", "=="):
        if not any(_kind(known) is _kind(value) for value in among):
            return None
        return (known in among) == (rule.op != "not_in")
    if _kind(known) is not float or _kind(wanted) is not float:
        return None
    return float(known) >= float(wanted) if rule.op == ">=" else float(known) <= float(wanted)  # type: ignore[arg-type]


def _kind(value: object) -> type:
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, int | float) else str


def areas(district: str | None) -> tuple[str, ...]:
    """The areas a district stands for: itself, and its parts where it names a path (澜川市/南桥区)."""
    if district is None:
        return ()
    return tuple(dict.fromkeys((district, *filter(None, _BETWEEN_AREAS.split(district)))))


def needed_at(facts: Mapping[str, Fact]) -> datetime | None:
    """When help is needed, from the fact `needed_at` (ISO 8601); None where that is not known."""
    try:
        return datetime.fromisoformat(str(facts[NEEDED_AT]))
    except (KeyError, ValueError):
        return None


def is_open(schedule: Sequence[Schedule], at: datetime) -> bool:
    """Whether opening hours cover a moment; hours that are not stated are all day, none at all are always."""
    day, time = _WEEKDAYS[at.weekday()], at.strftime("%H:%M")
    return not schedule or any(
        day in hours.days and (hours.opens_at or "00:00") <= time <= (hours.closes_at or "24:00")
        for hours in schedule
    )


def known_facts(district: str | None, facts: Mapping[str, Fact]) -> Mapping[str, Fact]:
    """What is known of a person, with the place they wrote from as their residence unless another is stated."""
    return {"residence": district, **facts} if district is not None else facts


@dataclass(frozen=True)
class RuleBook:
    """The rules of a catalogue as arrays over its resources, in catalogue order."""

    available: Mask
    districts: Mapping[str, Numbers]
    tiers: Mapping[str, Mask]
    rules: tuple[EligibilityRule, ...]
    rule_owners: tuple[Numbers, ...]
    hours: tuple[tuple[Schedule, ...], ...]
    hour_owners: tuple[Numbers, ...]

    @classmethod
    def of(cls, resources: Sequence[Resource]) -> RuleBook:
        """The rule book of resources in order."""
        any_tier = np.asarray([not resource.tiers for resource in resources], bool)
        tiers = {EVERYWHERE: any_tier}
        for name, numbers in _owners([r.tiers for r in resources]).items():
            tiers[name] = any_tier.copy()
            tiers[name][numbers] = True
        rules = _owners([r.eligibility.rules for r in resources])
        hours = _owners([(r.schedule,) if r.schedule else () for r in resources])
        return cls(
            np.asarray([is_available(resource) for resource in resources], bool),
            _owners([r.districts for r in resources]),
            tiers,
            tuple(rules),
            tuple(rules.values()),
            tuple(hours),
            tuple(hours.values()),
        )

    def allowed(self, district: str | None, tier: str | None, facts: Mapping[str, Fact]) -> Mask:
        """Which resources (n_resources) may be offered; what is not known excludes none."""
        if district is None:
            allowed = self.available.copy()
        else:
            allowed = np.zeros(len(self.available), bool)
            for area in (*areas(district), EVERYWHERE):
                if area in self.districts:
                    allowed[self.districts[area]] = True
            allowed &= self.available
        if tier is not None:
            allowed &= self.tiers.get(tier, self.tiers[EVERYWHERE])
        known = known_facts(district, facts)
        for rule, owners in zip(self.rules, self.rule_owners, strict=True):
            if holds(rule, known) is False:
                allowed[owners] = False
        at = needed_at(facts)
        if at is not None:
            for schedule, owners in zip(self.hours, self.hour_owners, strict=True):
                if not is_open(schedule, at):
                    allowed[owners] = False
        return allowed


def _owners(groups: Sequence[Sequence[Any]]) -> dict[Any, Numbers]:
    """The numbers of the groups each name stands in."""
    numbers: dict[Any, list[int]] = {}
    for number, names in enumerate(groups):
        for name in names:
            numbers.setdefault(name, []).append(number)
    return {name: np.asarray(rows, np.int64) for name, rows in numbers.items()}


def is_available(resource: Resource) -> bool:
    """Whether a resource is active and has capacity left."""
    return resource.status == ACTIVE and (resource.capacity is None or resource.capacity.left > 0)


def refusals(
    resource: Resource, district: str | None, tier: str | None, facts: Mapping[str, Fact]
) -> tuple[str, ...]:
    """Every rule that forbids offering a resource, in Chinese; none where it may be offered."""
    known = known_facts(district, facts)
    reasons = []
    if resource.status != ACTIVE:
        reasons.append(_STATUSES.get(resource.status, resource.status))
    if resource.capacity is not None and not resource.capacity.left:
        reasons.append(f"名额已满（{resource.capacity.limit}）")
    if district is not None and not {EVERYWHERE, *areas(district)} & set(resource.districts):
        reasons.append(f"只服务{'、'.join(resource.districts)}")
    if tier is not None and resource.tiers and tier not in resource.tiers:
        reasons.append("面向其他层级的需求")
    reasons += [f"要求{spoken(rule)}" for rule in resource.eligibility.rules if holds(rule, known) is False]
    at = needed_at(facts)
    if at is not None and not is_open(resource.schedule, at):
        reasons.append("所需时间不开放")
    return tuple(reasons)


def spoken(rule: EligibilityRule) -> str:
    """An eligibility rule in Chinese words."""
    values = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    told = "、".join(("是" if value else "否") if isinstance(value, bool) else f"{value}" for value in values)
    return f"{FIELD_NAMES.get(rule.field, rule.field)}{_OPERATORS.get(rule.op, rule.op)}{told}"


def open_questions(resource: Resource, district: str | None, facts: Mapping[str, Fact]) -> tuple[str, ...]:
    """What must still be asked of the person before this resource is offered, in Chinese."""
    known = known_facts(district, facts)
    fields = dict.fromkeys(rule.field for rule in resource.eligibility.rules if holds(rule, known) is None)
    if district is None and EVERYWHERE not in resource.districts:
        fields["residence"] = None
    return tuple(FIELD_NAMES.get(field, field) for field in fields)


def rule_counts(resource: Resource, district: str | None, facts: Mapping[str, Fact]) -> tuple[int, int]:
    """How many of a resource's eligibility rules are known to hold, and how many are not known."""
    known = known_facts(district, facts)
    answers = [holds(rule, known) for rule in resource.eligibility.rules]
    return sum(answer is True for answer in answers), sum(answer is None for answer in answers)

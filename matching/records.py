"""Resources that organisations offer, and the matches made with them.

Field names follow Open Referral HSDS 3 where it has them; kind, domains, tiers, capacity and checkable
eligibility are Zhixu's additions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from models.records import Identification, Need

EVERYWHERE = "*"
KINDS = ("material", "intellectual", "emotional")
ACTIVE = "active"
STATUSES = (ACTIVE, "inactive", "defunct", "temporarily closed")

NEEDED_AT = "needed_at"

Fact = str | bool | float


@dataclass(frozen=True, slots=True)
class EligibilityRule:
    """One checkable condition: `field op value`, for example age >= 60."""

    field: str
    op: str
    value: Fact | tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whom a resource serves: in words, and as rules that must all hold."""

    text: str = ""
    rules: tuple[EligibilityRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many a resource can serve in a period, and how many it already does."""

    limit: int
    period: str
    used: int = 0

    @property
    def left(self) -> int:
        """How many more it can serve now."""
        return max(self.limit - self.used, 0)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Regular opening hours: iCalendar weekdays (MO…SU) and local times HH:MM."""

    days: tuple[str, ...]
    opens_at: str = ""
    closes_at: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a resource is offered."""

    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One service, thing, skill or company that an organisation offers.

    `districts` holds district names or `*` for everywhere; `capacity` is None where it is unlimited.
    """

    id: str
    name: str
    organization: str
    description: str
    kind: str
    domains: tuple[str, ...]
    tiers: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    districts: tuple[str, ...] = (EVERYWHERE,)
    eligibility: Eligibility = field(default_factory=Eligibility)
    capacity: Capacity | None = None
    status: str = ACTIVE
    schedule: tuple[Schedule, ...] = ()
    location: Location = field(default_factory=Location)
    languages: tuple[str, ...] = ()
    cost: str = ""
    assured_date: date | None = None

    @property
    def text(self) -> str:
        """What retrieval reads: name, organisation, description and whom it serves."""
        return "。".join(
            part for part in (self.name, self.organization, self.description, self.eligibility.text) if part
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A need looking for a resource.

    `facts` are what is known of the person, in the fields of eligibility rules, and when help is needed (`needed_at`,
    ISO 8601); what is not known is absent. `tier` is one a person has stated: only such a tier rules resources out, for a
    model's is a guess, and guesses exclude nobody.
    """

    identification: Identification
    need: Need
    district: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A resource proposed for a need: `score` in 0–1, higher is likelier to meet it, and why in words.

    `ask` lists what must be asked before the resource is offered.
    """

    resource_id: str
    name: str
    score: float
    reasons: tuple[str, ...]
    ask: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A resource that rules forbid for a request, and every such rule in words."""

    resource_id: str
    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matching:
    """The matches of one request, best first; `no_fit` when nothing is good enough."""

    matches: tuple[Match, ...]
    catalogue: str

    @property
    def no_fit(self) -> bool:
        """Whether nothing fits."""
        return not self.matches

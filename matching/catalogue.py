"""The catalogue: resources read from files, checked, in one version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from matching.hsds import from_service, to_service
from matching.packages import read_json, read_package, write_json, write_package
from matching.records import (
    EVERYWHERE,
    Capacity,
    Eligibility,
    EligibilityRule,
    Location,
    Resource,
    Schedule,
)
from nlp.paths import dataset_path
from nlp.tables import NumberedRow, RowError, read_rows, told_apart, write_rows
from nlp.taxonomy import Taxonomy


def _from_cell(value: Any) -> Any:
    """A list or object written as JSON text in a spreadsheet cell; plain text with commas as a list."""
    if not isinstance(value, str):
        return value
    if value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return [part.strip() for part in value.replace("，", ",").replace("、", ",").split(",") if part.strip()]


def _object_from_cell(value: Any) -> Any:
    parsed = _from_cell(value)
    return value if isinstance(parsed, list) else parsed


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _RuleShape(_Shape):
    field: str
    op: Literal[">=", "<=", "==", "in", "not_in"]
    value: bool | float | str | list[bool | float | str]


class _EligibilityShape(_Shape):
    text: str = ""
    rules: list[_RuleShape] = []


class _CapacityShape(_Shape):
    limit: int = Field(ge=0)
    period: Literal["day", "week", "month", "year", "total"] = "total"
    used: int = Field(default=0, ge=0)


class _ScheduleShape(_Shape):
    days: list[Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]]
    opens_at: str = ""
    closes_at: str = ""


class _LocationShape(_Shape):
    name: str = ""
    address: str = ""


Names = Annotated[list[str], BeforeValidator(_from_cell)]


class ResourceShape(_Shape):
    """A resource as it stands in a file or a request body."""

    id: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=300)
    organization: str = Field(default="", max_length=300)
    description: str = Field(default="", max_length=5000)
    kind: Literal["material", "intellectual", "emotional"]
    domains: Names
    tiers: Names = []
    topics: Names = []
    districts: Names = [EVERYWHERE]
    eligibility: Annotated[_EligibilityShape, BeforeValidator(_object_from_cell)] = _EligibilityShape()
    capacity: Annotated[_CapacityShape | None, BeforeValidator(_object_from_cell)] = None
    status: Literal["active", "inactive", "defunct", "temporarily closed"] = "active"
    schedule: Annotated[list[_ScheduleShape], BeforeValidator(_from_cell)] = []
    location: Annotated[_LocationShape, BeforeValidator(_object_from_cell)] = _LocationShape()
    languages: Names = []
    cost: str = Field(default="", max_length=200)
    assured_date: date | None = None

    def to_resource(self) -> Resource:
        """The resource as the matcher uses it."""
        rules = tuple(
            EligibilityRule(r.field, r.op, tuple(r.value) if isinstance(r.value, list) else r.value)
            for r in self.eligibility.rules
        )
        return Resource(
            id=self.id,
            name=self.name,
            organization=self.organization,
            description=self.description,
            kind=self.kind,
            domains=tuple(self.domains),
            tiers=tuple(self.tiers),
            topics=tuple(self.topics),
            districts=tuple(self.districts) or (EVERYWHERE,),
            eligibility=Eligibility(self.eligibility.text, rules),
            capacity=Capacity(**self.capacity.model_dump()) if self.capacity else None,
            status=self.status,
            schedule=tuple(Schedule(tuple(s.days), s.opens_at, s.closes_at) for s in self.schedule),
            location=Location(self.location.name, self.location.address),
            languages=tuple(self.languages),
            cost=self.cost,
            assured_date=self.assured_date,
        )


@dataclass(frozen=True)
class Catalogue:
    """Resources with unique ids, in a version that changes with their content."""

    resources: tuple[Resource, ...]

    @cached_property
    def version(self) -> str:
        """12 hexadecimal digits that stand for the resources, whatever their order."""
        return version_of(sum(map(mark_of, self.resources)))

    @classmethod
    def load(cls, taxonomy: Taxonomy, path: Path | None = None) -> tuple[Catalogue, list[RowError]]:
        """Read a catalogue file, the shipped one by default; bad rows are named and skipped."""
        rows = read_rows(path or dataset_path("resources.jsonl"))
        resources, problems = told_apart(read_resources(rows, taxonomy))
        return cls(tuple(resources)), problems


def mark_of(resource: Resource) -> int:
    """A number that stands for a resource's whole content; marks of several are summed.

    A sum does not depend on order and follows a change without reading the rest (AdHash, Bellare and
    Micciancio 1997).
    """
    content = json.dumps(asdict(resource), sort_keys=True, default=str).encode()
    return int.from_bytes(hashlib.sha256(content).digest())


def version_of(mark: int) -> str:
    """12 hexadecimal digits for a sum of marks."""
    return hashlib.sha256((mark % (1 << 256)).to_bytes(32)).hexdigest()[:12]


def read_resources(
    rows: Iterable[NumberedRow], taxonomy: Taxonomy
) -> Iterator[tuple[int, Resource | RowError]]:
    """Resources in order; a row that cannot be used comes as a RowError."""
    lines: dict[str, int] = {}
    for line, row in rows:
        if isinstance(row, RowError):
            yield line, row
            continue
        try:
            resource = translated(ResourceShape.model_validate(row).to_resource(), taxonomy)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            yield line, RowError(line, f"field {place!r}: {first['msg']}")
            continue
        problem = unknown_label(resource, taxonomy)
        if resource.id in lines:
            problem = f"id {resource.id!r} stands already in line {lines[resource.id]}; ids are unique"
        if problem:
            yield line, RowError(line, problem)
            continue
        lines[resource.id] = line
        yield line, resource


def translated(resource: Resource, taxonomy: Taxonomy) -> Resource:
    """The resource in the labels of a taxonomy that has a crosswalk to those it was labelled by, else as it is.

    A domain becomes the own domains that mean the same; tiers and topics the taxonomy does not know fall away.
    """
    walk = taxonomy.crosswalk
    if not walk or not any(domain in walk for domain in resource.domains):
        return resource
    domains = dict.fromkeys(own for domain in resource.domains for own in walk.get(domain, (domain,)))
    topics = {topic for topics in taxonomy.topic_ids.values() for topic in topics}
    return replace(
        resource,
        domains=tuple(domain for domain in domains if domain in taxonomy.need_ids),
        tiers=tuple(tier for tier in resource.tiers if tier in taxonomy.tier_ids),
        topics=tuple(topic for topic in resource.topics if topic in topics),
    )


def load_resources(path: Path, taxonomy: Taxonomy) -> tuple[Catalogue, list[RowError]]:
    """Resources of any format: a table, HSDS 3 JSON, or the folder of an HSDS tabular package; bad ones are named.

    In HSDS files a "line" is the number of the service. Raises TableError for a file that cannot be read at all.
    """
    if not path.is_dir() and path.suffix.lower() != ".json":
        return Catalogue.load(taxonomy, path)
    services = read_package(path) if path.is_dir() else read_json(path)
    resources, problems = told_apart(read_resources(_numbered(services), taxonomy))
    return Catalogue(tuple(resources)), problems


def _numbered(services: Iterable[Any]) -> Iterator[NumberedRow]:
    for number, service in enumerate(services, 1):
        try:
            if not isinstance(service, dict):
                raise ValueError("not a JSON object; give HSDS 3 services")
            yield number, from_service(service)
        except ValueError as error:
            yield number, RowError(number, str(error))


def save_resources(path: Path, resources: Sequence[Resource]) -> None:
    """Write resources as a table, as HSDS 3 JSON (`.json`) or as HSDS CSV tables (a folder), by the path's ending."""
    if path.suffix.lower() == ".json":
        write_json(path, [to_service(one) for one in resources])
    elif path.suffix == "":
        write_package(path, [to_service(one) for one in resources])
    else:
        columns = tuple(ResourceShape.model_fields)
        write_rows(path, map(resource_row, resources), columns)


def resource_row(resource: Resource) -> dict[str, Any]:
    """A resource as a row of a catalogue file, which reads as the same resource."""
    row = asdict(resource)
    row["assured_date"] = resource.assured_date.isoformat() if resource.assured_date else None
    return row


def unknown_label(resource: Resource, taxonomy: Taxonomy) -> str | None:
    """What a resource names that the taxonomy does not list, or None."""
    topics = {topic for topics in taxonomy.topic_ids.values() for topic in topics}
    groups = (
        ("domain", resource.domains, set(taxonomy.need_ids)),
        ("tier", resource.tiers, set(taxonomy.tier_ids)),
        ("topic", resource.topics, topics),
    )
    for field, labels, known in groups:
        for label in labels:
            if label not in known:
                return (
                    f"resource {resource.id} names {field} {label!r}, which taxonomy {taxonomy.version} does not "
                    f"list; one of {', '.join(sorted(known))}"
                )
    return None if resource.domains else f"resource {resource.id} names no domain; give one at least"

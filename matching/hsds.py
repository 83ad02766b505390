"""Open Referral HSDS 3: resources as services with everything that hangs on them, and back without loss.

Names follow the Human Services Data Specification 3.1 (docs.openreferral.org): service, organization, service_area,
schedule, language, service_at_location, location, address, attribute, taxonomy_term, service_capacity. What HSDS has no
field for (kind, domains, tiers, topics, checkable rules, capacity in use) travels as attributes of the taxonomy `zhixu`;
identifiers that are no UUID become one by RFC 9562, version 5, and travel as an attribute too.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from matching.records import EVERYWHERE, Resource

Row = dict[str, Any]
TAXONOMY = "zhixu"
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:zhixu:resources")
_DAY = re.compile(r"[+-]?\d*(MO|TU|WE|TH|FR|SA|SU)$")
_TIME = re.compile(r"\d{2}:\d{2}")


def identifier_of(*names: str) -> str:
    """A UUID that is always the same for the same names."""
    return str(uuid.uuid5(_SPACE, json.dumps(names, ensure_ascii=False)))


def to_service(resource: Resource) -> Row:
    """A resource as an HSDS service with its parts inside."""
    key = _service_id(resource.id)
    service: Row = {
        "id": key,
        "name": resource.name,
        "description": resource.description,
        "status": resource.status,
        "eligibility_description": resource.eligibility.text,
        "fees_description": resource.cost,
        "organization": {
            "id": identifier_of("organization", resource.organization),
            "name": resource.organization,
            "description": "",
        },
        "schedules": [
            {
                "id": identifier_of(key, "schedule", str(n)),
                "freq": "WEEKLY",
                "byday": ",".join(hours.days),
                "opens_at": hours.opens_at,
                "closes_at": hours.closes_at,
            }
            for n, hours in enumerate(resource.schedule)
        ],
        "service_areas": [
            {"id": identifier_of(key, "area", str(n)), "name": name}
            for n, name in enumerate(() if resource.districts == (EVERYWHERE,) else resource.districts)
        ],
        "languages": [
            {"id": identifier_of(key, "language", str(n)), "name": name}
            for n, name in enumerate(resource.languages)
        ],
        "service_at_locations": _places(resource, key),
        "capacities": _capacities(resource, key),
        "attributes": _attributes(resource, key),
    }
    if resource.assured_date is not None:
        service["assured_date"] = resource.assured_date.isoformat()
    return service | _ages(resource)


def _service_id(resource_id: str) -> str:
    try:
        return resource_id if str(uuid.UUID(resource_id)) == resource_id else identifier_of(resource_id)
    except ValueError:
        return identifier_of(resource_id)


def _places(resource: Resource, key: str) -> list[Row]:
    place = resource.location
    if not place.name and not place.address:
        return []
    location: Row = {"id": identifier_of(key, "location"), "location_type": "physical", "name": place.name}
    if place.address:
        location["addresses"] = [
            {
                "id": identifier_of(key, "address"),
                "address_1": place.address,
                "city": "",
                "state_province": "",
                "postal_code": "",
                "country": "CN",
                "address_type": "physical",
            }
        ]
    return [{"id": identifier_of(key, "at"), "location": location}]


def _capacities(resource: Resource, key: str) -> list[Row]:
    capacity = resource.capacity
    if capacity is None:
        return []
    day = resource.assured_date or date(1970, 1, 1)
    return [
        {
            "id": identifier_of(key, "capacity"),
            "unit": {"id": identifier_of("unit", capacity.period), "name": f"people a {capacity.period}"},
            "available": capacity.left,
            "maximum": capacity.limit,
            "updated": f"{day.isoformat()}T00:00:00Z",
        }
    ]


def _attributes(resource: Resource, key: str) -> list[Row]:
    told: list[tuple[str, str]] = [("id", resource.id), ("kind", resource.kind)]
    for name in ("domains", "tiers", "topics"):
        told += [(name, label) for label in getattr(resource, name)]
    told += [("rules", json.dumps(asdict(rule), ensure_ascii=False)) for rule in resource.eligibility.rules]
    if resource.capacity is not None:
        told.append(("capacity", json.dumps(asdict(resource.capacity))))
    return [
        {
            "id": identifier_of(key, "attribute", str(n)),
            "link_id": key,
            "link_type": name,
            "link_entity": "service",
            "value": value,
            "taxonomy_term": {
                "id": identifier_of("term", name),
                "code": name,
                "name": name,
                "description": f"Zhixu's {name} of a service",
                "taxonomy": TAXONOMY,
            },
        }
        for n, (name, value) in enumerate(told)
    ]


def _ages(resource: Resource) -> Row:
    names = {">=": "minimum_age", "<=": "maximum_age"}
    return {
        names[rule.op]: rule.value
        for rule in resource.eligibility.rules
        if rule.field == "age" and rule.op in names and isinstance(rule.value, int | float)
    }


def from_service(service: Mapping[str, Any]) -> Row:
    """An HSDS service as a row of a catalogue file, to be checked like any other; fields Zhixu has no use for are left.

    Raises ValueError where a part has not the shape HSDS gives it.
    """
    try:
        return _from_service(service)
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(
            f"not an HSDS 3 service ({type(error).__name__}: {error}); check its parts"
        ) from None


def _from_service(service: Mapping[str, Any]) -> Row:
    told: dict[str, list[str]] = {}
    for attribute in _parts(service, "attributes"):
        term = attribute.get("taxonomy_term") or {}
        if term.get("taxonomy") == TAXONOMY:
            told.setdefault(term["code"], []).append(attribute["value"])
    rules = [json.loads(text) for text in told.get("rules", ())] or _age_rules(service)
    row: Row = {
        "id": told.get("id", [service.get("id", "")])[0],
        "name": service.get("name", ""),
        "organization": (service.get("organization") or {}).get("name") or "",
        "description": service.get("description") or "",
        "domains": told.get("domains", []),
        "tiers": told.get("tiers", []),
        "topics": told.get("topics", []),
        "districts": [one.get("name") or "" for one in _parts(service, "service_areas")] or [EVERYWHERE],
        "eligibility": {"text": service.get("eligibility_description") or "", "rules": rules},
        "capacity": _capacity(service, told),
        "status": service.get("status"),
        "schedule": [hours for one in _parts(service, "schedules") if (hours := _hours(one))],
        "location": _location(service),
        "languages": [one.get("name") or one.get("code") or "" for one in _parts(service, "languages")],
        "cost": service.get("fees_description") or "",
        "assured_date": service.get("assured_date") or None,
    }
    return row | ({"kind": told["kind"][0]} if "kind" in told else {})


def _parts(whole: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return whole.get(name) or ()


def _age_rules(service: Mapping[str, Any]) -> list[Row]:
    bounds = (("minimum_age", ">="), ("maximum_age", "<="))
    return [
        {"field": "age", "op": op, "value": float(service[name])}
        for name, op in bounds
        if service.get(name) not in (None, "")
    ]


def _capacity(service: Mapping[str, Any], told: Mapping[str, Sequence[str]]) -> Row | None:
    if "capacity" in told:
        row: Row = json.loads(told["capacity"][0])
        return row
    found = _parts(service, "capacities")
    if not found:
        return None
    available = int(float(found[0]["available"]))
    most = max(int(float(found[0].get("maximum") or available)), available)
    return {"limit": most, "period": "total", "used": most - available}


def _hours(schedule: Mapping[str, Any]) -> Row | None:
    """Weekly hours; a schedule of another rhythm says nothing that could be checked, so it closes no day."""
    days = [
        found[1] for day in (schedule.get("byday") or "").split(",") if (found := _DAY.match(day.strip()))
    ]
    if not days or (schedule.get("freq") or "WEEKLY") != "WEEKLY":
        return None
    times = {name: _TIME.match(schedule.get(name) or "") for name in ("opens_at", "closes_at")}
    return {"days": days} | {name: found[0] if found else "" for name, found in times.items()}


def _location(service: Mapping[str, Any]) -> Row:
    places = _parts(service, "service_at_locations")
    location = (places[0].get("location") or {}) if places else {}
    addresses = _parts(location, "addresses")
    parts = ("state_province", "city", "address_1", "address_2")
    address = "".join(addresses[0].get(name) or "" for name in parts) if addresses else ""
    return {"name": location.get("name") or "", "address": address}

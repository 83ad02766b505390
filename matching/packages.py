"""HSDS files: services as one JSON document, or as a tabular data package of CSV tables (Frictionless Data Package 1)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matching.hsds import Row
from nlp.tables import TableError

# Which parts of a service stand in tables of their own: field, table, key to the whole, and whether there are several.
_PARTS: dict[str, tuple[tuple[str, str, str, bool], ...]] = {
    "services": (
        ("organization", "organizations", "organization_id", False),
        ("schedules", "schedules", "service_id", True),
        ("service_areas", "service_areas", "service_id", True),
        ("languages", "languages", "service_id", True),
        ("service_at_locations", "service_at_locations", "service_id", True),
        ("capacities", "service_capacities", "service_id", True),
        ("attributes", "attributes", "link_id", True),
    ),
    "service_at_locations": (("location", "locations", "location_id", False),),
    "locations": (("addresses", "addresses", "location_id", True),),
    "service_capacities": (("unit", "units", "unit_id", False),),
    "attributes": (("taxonomy_term", "taxonomy_terms", "taxonomy_term_id", False),),
}
Tables = dict[str, dict[str, Row]]


def write_json(path: Path, services: Sequence[Row]) -> None:
    """Write services as one JSON list, whole or not at all."""
    staging = path.with_name(f".{path.name}.writing")
    staging.write_text(json.dumps(services, ensure_ascii=False, indent=1) + "\n", "utf-8")
    staging.replace(path)


def read_json(path: Path) -> list[Any]:
    """The services of a JSON document: a list, a page of the HSDS API (`contents`), or one service.

    Raises TableError where it is none of these.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"{path}: not JSON ({type(error).__name__}); give HSDS 3 services as JSON") from None
    if isinstance(document, dict):
        document = document.get("contents") or document.get("services") or [document]
    if not isinstance(document, list):
        raise TableError(f"{path}: no list of services; give HSDS 3 services as JSON")
    return document


def write_package(folder: Path, services: Sequence[Row]) -> None:
    """Write services as CSV tables with their `datapackage.json` into a folder."""
    tables: Tables = {}
    for service in services:
        _lay_down("services", service, tables)
    folder.mkdir(parents=True, exist_ok=True)
    resources = []
    for name, rows in tables.items():
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(rows.values())
        fields = [{"name": column, "type": "string"} for column in columns]
        resources.append(
            {
                "name": name,
                "path": f"{name}.csv",
                "profile": "tabular-data-resource",
                "schema": {"fields": fields},
            }
        )
    package = {"name": "human-services-data", "profile": "tabular-data-package", "resources": resources}
    (folder / "datapackage.json").write_text(
        json.dumps(package, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )


def _lay_down(table: str, row: Mapping[str, Any], tables: Tables) -> None:
    flat = dict(row)
    for field, part_table, key, several in _PARTS.get(table, ()):
        part = flat.pop(field, None)
        if several:
            for one in part or ():
                _lay_down(part_table, {**one, key: row["id"]}, tables)
        elif part:
            flat[key] = part["id"]
            _lay_down(part_table, part, tables)
    tables.setdefault(table, {})[row["id"]] = flat


def read_package(folder: Path) -> list[Row]:
    """The services of a folder of CSV tables, their parts inside again. Raises TableError without `services.csv`."""
    if not (folder / "services.csv").is_file():
        raise TableError(f"{folder}: no services.csv; give the folder of an HSDS tabular data package")
    names = {"services", *(part[1] for parts in _PARTS.values() for part in parts)}
    tables = {name: list(_read_csv(folder / f"{name}.csv")) for name in names}
    grouped: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for parts in _PARTS.values():
        for _, name, key, several in parts:
            by = grouped.setdefault((name, key if several else "id"), {})
            for row in tables[name] if not by else ():
                by.setdefault(row.get(key if several else "id", ""), []).append(row)
    return [_put_together("services", row, grouped) for row in tables["services"]]


def _put_together(table: str, row: Row, grouped: Mapping[tuple[str, str], Mapping[str, list[Row]]]) -> Row:
    whole = dict(row)
    for field, name, key, several in _PARTS.get(table, ()):
        index = grouped[name, key if several else "id"]
        found = index.get(row.get("id" if several else key, ""), [])
        parts = [_put_together(name, one, grouped) for one in found]
        if several:
            whole[field] = parts
        elif parts:
            whole[field] = parts[0]
    return whole


def _read_csv(path: Path) -> Iterator[Row]:
    if not path.is_file():
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for row in csv.DictReader(stream):
                yield {name: cell for name, cell in row.items() if name and cell}
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: not UTF-8 CSV ({type(error).__name__}); save it again") from None

"""Label Studio: its labelling configuration from the taxonomy, tasks out, annotations back in.

Shapes follow Label Studio's task format (https://labelstud.io/guide/task_format). A choice shows its Chinese name
and exports its id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from nlp.tables import NumberedRow, RowError, TableError
from nlp.taxonomy import Taxonomy

_CARRIED = ("id", "source", "district", "prediction_id")
_SINGLE = ("domain", "tier", "urgency")
_TITLES = {
    "domain": "领域（须由哪个部门办）· Domain",
    "secondary": "其他领域 · Other domains",
    "tier": "层级 · Tier",
    "urgency": "紧急程度 · Urgency",
}


def labelling_config(taxonomy: Taxonomy) -> str:
    """The XML of a labelling interface with the taxonomy's labels."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Text", name="text", value="$text")
    for field, labels in taxonomy.field_ids.items():
        if not labels:
            continue
        ElementTree.SubElement(view, "Header", value=_TITLES[field])
        group = ElementTree.SubElement(
            view,
            "Choices",
            name=field,
            toName="text",
            choice="multiple" if field == "secondary" else "single",
            showInline="true",
            required="true" if field == "domain" else "false",
        )
        for number, label in enumerate(labels):
            choice = ElementTree.SubElement(group, "Choice", value=taxonomy.name(label), alias=label)
            if field == "domain" and number < 9:
                choice.set("hotkey", str(number + 1))
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def write_tasks(path: Path, rows: Iterable[Mapping[str, Any]], model: str) -> int:
    """Write rows of masked messages as tasks, the model's answers as predictions; returns how many."""
    tasks = [
        {
            "data": {"text": row["text"], **{name: row[name] for name in _CARRIED if row.get(name)}},
            "predictions": [{"model_version": model, "result": _result(row)}] if row.get("domain") else [],
        }
        for row in rows
    ]
    path.write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return len(tasks)


def _result(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    told = {field: [row[field]] for field in _SINGLE if row.get(field)}
    if row.get("secondary"):
        told["secondary"] = list(row["secondary"])
    return [
        {"from_name": field, "to_name": "text", "type": "choices", "value": {"choices": choices}}
        for field, choices in told.items()
    ]


def read_annotations(path: Path) -> Iterator[NumberedRow]:
    """One row an annotation, numbered by task; its `annotator` is who completed it. Skipped tasks give no row.

    Raises TableError when the file is no Label Studio export.
    """
    try:
        tasks = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise TableError(
            f"{path}: not JSON ({type(error).__name__}); export from Label Studio as JSON"
        ) from None
    if not isinstance(tasks, list):
        raise TableError(f"{path}: not a list of tasks; export from Label Studio as JSON")
    for number, task in enumerate(tasks, 1):
        try:
            yield from _rows(number, task)
        except (KeyError, TypeError, AttributeError, IndexError):
            yield (
                number,
                RowError(
                    number, "not a Label Studio task with data.text and annotations; export again as JSON"
                ),
            )


def _rows(number: int, task: Mapping[str, Any]) -> Iterator[NumberedRow]:
    data = task["data"]
    for annotation in task.get("annotations", ()):
        if annotation.get("was_cancelled"):
            continue
        row: dict[str, Any] = {"text": data["text"], "annotator": _who(annotation.get("completed_by"))}
        row |= {name: data[name] for name in _CARRIED if data.get(name)}
        row.setdefault("id", f"task-{task.get('id', number)}")
        for region in annotation["result"]:
            if region.get("type") == "choices":
                choices: Sequence[str] = region["value"]["choices"]
                field = region["from_name"]
                row[field] = list(choices) if field == "secondary" else choices[0]
        yield number, row


def _who(completed_by: Any) -> str:
    if isinstance(completed_by, Mapping):
        return str(completed_by.get("email") or completed_by.get("id"))
    return str(completed_by or "unknown")

"""Reading: rows of a file as messages and labelled messages, bad rows named and skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nlp.records import LabelledMessage, Message
from nlp.tables import NumberedRow, RowError
from nlp.taxonomy import Taxonomy

MAX_TEXT = 20_000
MAX_ID = 200


def _spoken(value: Any) -> Any:
    """Cells that hold numbers are text all the same; binary is not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(int(value)) if float(value).is_integer() else str(value)


def _moment(value: Any) -> datetime | None:
    """A time in ISO 8601 or as platforms write it (2019/2/28 11:25:05); None where it is neither."""
    if isinstance(value, datetime):
        return value
    text = str(value).strip()
    for pattern in (
        "%Y/%m/%d %H:%M:%S",
        "%Y/%m/%d %H:%M",
        "%Y/%m/%d",
        "%Y-%m-%d %H:%M",
        "%Y年%m月%d日",
        "%Y%m",
    ):
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _labels(value: Any) -> Any:
    """Several labels in one cell: a list, or text with commas or semicolons between."""
    if not isinstance(value, str):
        return value
    for mark in "；;、|，":
        value = value.replace(mark, ",")
    return [
        label.strip()
        for label in value.strip("[]").replace('"', "").replace("'", "").split(",")
        if label.strip()
    ]


Text = Annotated[str, BeforeValidator(_spoken)]


class _MessageRow(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, BeforeValidator(_spoken), Field(max_length=MAX_ID)] = ""
    text: Annotated[str, BeforeValidator(_spoken), Field(max_length=MAX_TEXT)] = ""
    title: Annotated[Text, Field(max_length=500)] | None = None
    source: str | None = None
    district: Annotated[Text, Field(max_length=100)] | None = None
    received_at: Annotated[datetime | None, BeforeValidator(_moment)] = None


class _LabelledRow(_MessageRow):
    domain: str | None = None
    label: str | None = None
    secondary: Annotated[list[str], BeforeValidator(_labels)] = []
    tier: str | None = None
    urgency: str | None = None
    topic: str | None = None
    hard: bool = False
    natural: bool = False


class MessageReader:
    """Turns rows into messages, remembering ids so that none stands twice."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self._lines: dict[str, int] = {}

    def read(self, rows: Iterable[NumberedRow]) -> Iterator[tuple[int, Message | RowError]]:
        """Messages in order; a row without an id gets its line number for one."""
        for line, row in rows:
            yield line, row if isinstance(row, RowError) else self._read(line, row, _MessageRow)[0]

    def read_labelled(self, rows: Iterable[NumberedRow]) -> Iterator[tuple[int, LabelledMessage | RowError]]:
        """Labelled messages in order; labels must stand in the taxonomy."""
        for line, row in rows:
            if isinstance(row, RowError):
                yield line, row
                continue
            message, fields = self._read(line, row, _LabelledRow)
            yield line, message if isinstance(message, RowError) else self._label(line, message, fields)

    def _read(
        self, line: int, row: dict[str, Any], shape: type[_MessageRow]
    ) -> tuple[Message | RowError, Any]:
        try:
            fields = shape.model_validate(row)
        except ValidationError as error:
            return RowError(line, _problem(error)), None
        problem = self._refuse(line, fields, row)
        if problem:
            return RowError(line, problem), None
        message_id = fields.id or f"line-{line}"
        self._lines[message_id] = line
        return (
            Message(
                fields.text, message_id, fields.source, fields.title, fields.district, fields.received_at
            ),
            fields,
        )

    def _refuse(self, line: int, fields: _MessageRow, row: dict[str, Any]) -> str | None:
        if not fields.text.strip() and not (fields.title or "").strip():
            return (
                "field 'text' is empty; give the message"
                if "text" in row
                else "no field 'text', or it is empty; give the message in a column named 'text'"
            )
        if fields.source is not None and fields.source not in self._taxonomy.source_ids:
            known = ", ".join(self._taxonomy.source_ids)
            if known:
                return f"field 'source': {fields.source[:40]!r} is not in the taxonomy; one of {known}, or leave it out"
        if "\0" in fields.text:
            return "field 'text' holds binary data; give text"
        earlier = self._lines.get(fields.id or f"line-{line}")
        return f"field 'id' stands already in line {earlier}; ids are unique" if earlier else None

    def _label(self, line: int, message: Message, fields: _LabelledRow) -> LabelledMessage | RowError:
        taxonomy = self._taxonomy
        domain = fields.domain or fields.label
        if domain is None:
            return RowError(line, "no field 'domain' or 'label'; label the row or remove it")
        found: dict[str, list[str]] = {"domain": [], "secondary": [], "tier": [], "urgency": []}
        told: tuple[tuple[str, list[str]], ...] = (
            ("domain", [domain]),
            ("secondary", fields.secondary),
            ("tier", [fields.tier] if fields.tier else []),
            ("urgency", [fields.urgency] if fields.urgency else []),
        )
        for field, labels in told:
            for label in labels:
                known = taxonomy.find(field, label)
                if known is None:
                    return RowError(line, self._unknown(field, label))
                found[field].append(known)
        primary = found["domain"][0]
        topic = fields.topic if fields.topic in taxonomy.topic_ids[primary] else None
        return LabelledMessage(
            message,
            primary,
            tuple(found["secondary"]),
            next(iter(found["tier"]), None),
            next(iter(found["urgency"]), None),
            topic,
            fields.hard,
            fields.natural,
        )

    def _unknown(self, field: str, label: str) -> str:
        nearest = self._taxonomy.nearest(field, label)
        remedy = f"; the nearest is {nearest!r}" if nearest else ""
        return f"field {field!r}: {label[:40]!r} is not in taxonomy {self._taxonomy.version}{remedy}"


def _problem(error: ValidationError) -> str:
    """The first thing wrong, without the value that was sent."""
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] in ("too_long", "string_too_long"):
        limit = first["ctx"]["max_length"]
        return f"field {str(first['loc'][0])!r} is longer than {limit:,} characters; shorten or split it"
    return f"field {str(first['loc'][0])!r}: {first['msg']}"

"""Sheets for the people who judge an audit: blind to what was predicted, with the labels to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from evaluation.ledger import Ledger
from evaluation.outcomes import ACCEPTED, DECLINED, MET, UNMET
from evaluation.tables import AuditCase, Prediction, ProposedMatch
from nlp.tables import RowError, check_suffix, read_rows, write_rows
from nlp.taxonomy import Taxonomy

HEADINGS = {
    "prediction_id": "编号",
    "source": "来源",
    "district": "辖区",
    "text": "正文",
    "domain": "领域",
    "secondary": "次要领域",
    "tier": "层级",
    "urgency": "紧急程度",
    "resource": "首个推荐资源",
    "match": "匹配结果",
    "note": "备注",
}
FATES = {"采纳": ACCEPTED, "未采纳": DECLINED, "已满足": MET, "未满足": UNMET}
_WIDTHS = {"prediction_id": 36, "text": 70, "resource": 28, "domain": 18, "secondary": 18, "note": 24}
_MAX_LIST = 255  # what a spreadsheet takes as a list of choices


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one person says of one audited case; `fate` is an outcome of the first proposal, None where none is told."""

    prediction_id: str
    domain: str
    secondary: tuple[str, ...] = ()
    tier: str | None = None
    urgency: str | None = None
    fate: str | None = None


def audit_rows(
    ledger: Ledger, audit: str, taxonomy: Taxonomy, only: Iterable[str] | None = None
) -> list[dict[str, Any]]:
    """The cases of an audit as rows to judge, in an order that tells nothing. Raises LookupError for an unknown one."""
    query = (
        select(Prediction.id, Prediction.source, Prediction.district, Prediction.text, ProposedMatch.name)
        .join(AuditCase, AuditCase.prediction_id == Prediction.id)
        .outerjoin(ProposedMatch, (ProposedMatch.prediction_id == Prediction.id) & (ProposedMatch.rank == 1))
        .where(AuditCase.audit == audit)
        .order_by(Prediction.id)
    )
    with ledger.engine.connect() as connection:
        rows = connection.execute(query).all()
    if not rows:
        raise LookupError(f"the ledger holds no audit {audit!r}; `zhixu audit list` names those it holds")
    kept = None if only is None else set(only)
    return [
        {
            "prediction_id": row[0],
            "source": taxonomy.name(row[1]) if row[1] else None,
            "district": row[2],
            "text": row[3],
            "resource": row[4],
        }
        for row in rows
        if kept is None or row[0] in kept
    ]


def write_sheet(
    path: Path, rows: Sequence[Mapping[str, Any]], taxonomy: Taxonomy, more: Sequence[str] = ()
) -> None:
    """Write rows to judge; `more` names further columns. XLSX offers the labels to choose from."""
    headings = {**HEADINGS, **{name: name for name in more}}
    if check_suffix(path) != ".xlsx":
        named = ({headings[key]: value for key, value in row.items()} for row in rows)
        write_rows(path, named, list(headings.values()))
        return
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "待判"
    sheet.freeze_panes = "A2"
    sheet.append(list(headings.values()))
    for row in rows:
        sheet.append([_plain(row.get(name)) for name in headings])
    for number, name in enumerate(headings, start=1):
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = _WIDTHS.get(name, 13)
        sheet[f"{letter}1"].font = Font(bold=True)
        offered = ",".join(_choices(taxonomy).get(name, ()))
        if offered and len(offered) <= _MAX_LIST and '"' not in offered:
            validation = DataValidation("list", formula1=f'"{offered}"', allow_blank=True)
            sheet.add_data_validation(validation)
            validation.add(f"{letter}2:{letter}{max(len(rows) + 1, 2)}")
    for cells in sheet.iter_rows(min_row=2):
        for cell in cells:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    sheet.auto_filter.ref = sheet.dimensions
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def _plain(value: Any) -> Any:
    """Text a spreadsheet would run as a formula, made plain (OWASP, "CSV injection")."""
    if not isinstance(value, str):
        return value
    shown = "".join(character for character in value if character in "\t\n" or character >= " ")[:32767]
    return "'" + shown if shown[:1] in ("=", "+", "@", "\t") else shown


def _choices(taxonomy: Taxonomy) -> dict[str, list[str]]:
    return {
        "domain": [taxonomy.name(label) for label in taxonomy.domain_ids],
        "tier": [taxonomy.name(label) for label in taxonomy.tier_ids],
        "urgency": [taxonomy.name(label) for label in taxonomy.urgency_ids],
        "match": list(FATES),
    }


class JudgementReader:
    """Reads filled sheets; labels may be given by id or by either name."""

    def __init__(self, taxonomy: Taxonomy, cases: Iterable[str]) -> None:
        self._taxonomy = taxonomy
        self._cases = frozenset(cases)
        self._fields = {heading: name for name, heading in HEADINGS.items()} | {n: n for n in HEADINGS}
        self._fates = FATES | {fate: fate for fate in FATES.values()}
        groups = {
            "domain": taxonomy.domain_ids,
            "secondary": taxonomy.need_ids,
            "tier": taxonomy.tier_ids,
            "urgency": taxonomy.urgency_ids,
        }
        self._labels = {
            field: {
                name: label
                for label in labels
                for name in (label, taxonomy.name(label), taxonomy.name(label, "en"))
            }
            for field, labels in groups.items()
        }

    def read(self, path: Path) -> Iterator[Judgement | RowError]:
        """Judgements in order; rows without a domain are still open and left out."""
        seen: dict[str, int] = {}
        for line, row in read_rows(path):
            if isinstance(row, RowError):
                yield row
                continue
            cells = {self._fields[name]: value for name, value in row.items() if name in self._fields}
            key = str(cells.get("prediction_id", "")).strip()
            if not str(cells.get("domain", "")).strip():
                continue
            if key not in self._cases:
                yield RowError(line, f"case {key[:40]!r} is not of this audit; take the sheet it exported")
            elif key in seen:
                yield RowError(line, f"case {key!r} stands already in line {seen[key]}; keep one")
            else:
                seen[key] = line
                yield self._judge(line, key, cells)

    def _judge(self, line: int, key: str, cells: Mapping[str, Any]) -> Judgement | RowError:
        found: dict[str, str | None] = {}
        for field in ("domain", "tier", "urgency"):
            told = str(cells.get(field, "")).strip()
            if told and told not in self._labels[field]:
                return self._unknown(line, field, told)
            found[field] = self._labels[field][told] if told else None
        second = str(cells.get("secondary", ""))
        for mark in "；;、，|":
            second = second.replace(mark, ",")
        others = [part.strip(" []\"'") for part in second.split(",") if part.strip(" []\"'")]
        for told in others:
            if told not in self._labels["secondary"]:
                return self._unknown(line, "secondary", told)
        fate = str(cells.get("match", "")).strip()
        if fate and fate not in self._fates:
            return RowError(
                line, f"column {HEADINGS['match']!r}: {fate[:20]!r} is none of {', '.join(FATES)}"
            )
        domain = str(found["domain"])
        needless = domain == self._taxonomy.none_id
        if self._taxonomy.tier_ids and not needless and not found["tier"]:
            return RowError(line, f"column {HEADINGS['tier']!r} is empty; a need has a tier")
        return Judgement(
            key,
            domain,
            tuple(sorted({self._labels["secondary"][told] for told in others})),
            None if needless else found["tier"],
            found["urgency"],
            self._fates[fate] if fate else None,
        )

    def _unknown(self, line: int, field: str, told: str) -> RowError:
        known = "、".join(self._taxonomy.name(label) for label in dict.fromkeys(self._labels[field].values()))
        return RowError(line, f"column {HEADINGS[field]!r}: {told[:40]!r} is none of {known}")

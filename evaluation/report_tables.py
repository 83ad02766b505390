"""Reports as tables and charts, before anyone decides on a file format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from evaluation.accuracy import ALL, Books, Figure
from evaluation.counts import fresh_counts
from evaluation.drift import find_drift, read_window
from evaluation.ledger import Ledger
from evaluation.need_map import cross, need_map, needs_only
from evaluation.periods import Period
from evaluation.response_times import response_times
from evaluation.targets import Target, check_targets
from nlp.taxonomy import Taxonomy

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One table: a short `id`, a title, column headings and rows of text and numbers (shares in 0–1)."""

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Heat:
    """A heat map: counts `(n_rows, n_columns)`."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Ranges:
    """Estimates with their intervals, one a label, and a line they are held to (None for none)."""

    title: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    line: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A report; `digest` is a SHA-256 over the ledger rows its figures come from."""

    title: str
    period: str
    language: Language
    tables: tuple[ReportTable, ...]
    charts: tuple[Heat | Ranges, ...]
    digest: str
    notes: tuple[str, ...] = ()


class Words:
    """Headings and names in one language."""

    def __init__(self, language: Language, taxonomy: Taxonomy) -> None:
        self.language, self._taxonomy = language, taxonomy

    def __call__(self, zh: str, en: str) -> str:
        """The words in the report's language."""
        return zh if self.language == "zh" else en

    def name(self, label: str) -> str:
        """The readable name of a label, measure or dimension."""
        if label in _NAMES:
            return self(*_NAMES[label])
        return self._taxonomy.name(label, self.language) if label else self("未注明", "not stated")


_NAMES = {
    "domain": ("领域", "Domain"),
    "true_domain": ("实际领域", "True domain"),
    "tier": ("层级", "Tier"),
    "urgency": ("紧急程度", "Urgency"),
    "secondary": ("次要领域", "Secondary domains"),
    "match_accepted": ("首选资源被采纳", "First match accepted"),
    "match_met": ("需求得到满足", "Need met"),
    "source": ("来源", "Source"),
    "district": ("辖区", "District"),
    "model": ("模型版本", "Model"),
    "week": ("周（周一）", "Week (Monday)"),
    "length": ("文本长度", "Text length"),
    "confidence": ("置信度", "Confidence"),
    "vocabulary": ("用词", "Vocabulary"),
    ALL: ("全部", "All"),
}


def accuracy_report(
    ledger: Ledger,
    period: Period,
    taxonomy: Taxonomy,
    as_of: datetime,
    targets: Sequence[Target],
    language: Language = "zh",
    books: Books | None = None,
) -> Report:
    """Accuracy, targets and response times of a period; `books` are its judged cases where they were read already."""
    say, books = Words(language, taxonomy), books or Books.open(ledger, period)
    figures = books.figures()
    tables = [_targets_table(books, targets, say)]
    tables += [_figures_table(figures, dimension, say) for dimension in _dimensions(figures)]
    tables.append(_times_table(ledger, period, as_of, say))
    lines = {target.measure: target.line for target in targets}
    charts = tuple(
        chart
        for dimension in ("domain", "week")
        if (chart := _ranges(figures, "domain", dimension, lines.get("domain"), say))
    )
    notes = (
        say(
            "审核栏按抽样概率加权估计，括号内为 95% 区间；反馈栏未加权，仅供对照：主动反馈的人不能代表全体。",
            "Audit columns are weighted by how cases were drawn, with 95% intervals; feedback is unweighted and shown "
            "beside them only, for those who send it do not stand for everyone.",
        ),
    )
    rows = [(r.id, *r.rows) for r in tables[-1:]]
    digest = digest_rows([*books.rows(), *rows])
    title = say("识别与匹配准确率", "Accuracy of needs and matches")
    return Report(title, _days(period, say), language, tuple(tables), charts, digest, notes)


def _dimensions(figures: Sequence[Figure]) -> list[str]:
    return list(dict.fromkeys(figure.dimension for figure in figures))


def _targets_table(books: Books, targets: Sequence[Target], say: Words) -> ReportTable:
    standings = {
        "held": say("达标", "held"),
        "missed": say("未达标", "missed"),
        "open": say("尚不能断定", "open"),
        "unknown": say("尚无审核", "no audit"),
    }
    rows = []
    for alert in check_targets(books, targets):
        audited = alert.figure.audited if alert.figure else None
        bounds = (audited.value, audited.low, audited.high) if audited else (None, None, None)
        rows.append((say.name(alert.target.measure), alert.target.line, *bounds, standings[alert.standing]))
    columns = (
        say("指标", "Measure"), say("目标", "Target"), say("估计", "Estimate"), say("下限", "Low"), say("上限", "High"),
        say("结论", "Standing"),
    )  # fmt: skip
    return ReportTable("targets", say("目标", "Targets"), columns, tuple(rows))


def _figures_table(figures: Iterable[Figure], dimension: str, say: Words) -> ReportTable:
    rows = []
    for one in figures:
        if one.dimension != dimension:
            continue
        audited, told = (
            (each.value, each.low, each.high) if each else (None, None, None)
            for each in (one.audited, one.told)
        )
        key = say.name(one.key)
        rows.append(
            (say.name(one.measure), key, *audited, one.n_audited, round(one.population), *told, one.n_told)
        )
    columns = (
        say("指标", "Measure"), say.name(dimension), say("审核估计", "Audited"), say("下限", "Low"), say("上限", "High"),
        say("审核条数", "Cases"), say("代表条数", "Stands for"), say("反馈比例", "Feedback"), say("反馈下限", "Feedback low"),
        say("反馈上限", "Feedback high"), say("反馈条数", "Feedback cases"),
    )  # fmt: skip
    title = say("准确率 · ", "Accuracy · ") + say.name(dimension)
    return ReportTable(f"accuracy_{dimension}", title, columns, tuple(rows))


def _times_table(ledger: Ledger, period: Period, as_of: datetime, say: Words) -> ReportTable:
    rows = tuple(
        (
            say.name(one.tier), say.name(one.urgency), one.due, one.answered, one.pending,
            one.in_time.value if one.due else None, one.in_time.low if one.due else None,
            one.in_time.high if one.due else None,
            None if one.median is None else one.median / 3600, None if one.slow is None else one.slow / 3600,
        )
        for one in response_times(ledger, period, as_of)
    )  # fmt: skip
    columns = (
        say("层级", "Tier"), say("紧急程度", "Urgency"), say("应答复", "Due"), say("已答复", "Answered"),
        say("未到期", "Pending"), say("按时率", "In time"), say("下限", "Low"), say("上限", "High"),
        say("中位用时（小时）", "Median (h)"), say("九成用时（小时）", "90th percentile (h)"),
    )  # fmt: skip
    return ReportTable("response_times", say("答复时限", "Response times"), columns, rows)


def _ranges(
    figures: Iterable[Figure], measure: str, dimension: str, line: float | None, say: Words
) -> Ranges | None:
    shown = [
        (say.name(one.key), one.audited)
        for one in figures
        if one.measure == measure and one.dimension == dimension and one.audited
    ]
    if not shown:
        return None
    labels, bounds = zip(*shown, strict=True)
    title = say(f"{say.name(measure)}准确率 · 按{say.name(dimension)}", f"{measure} accuracy by {dimension}")
    return Ranges(
        title,
        labels,
        tuple(one.value for one in bounds),
        tuple(one.low for one in bounds),
        tuple(one.high for one in bounds),
        line,
    )


def needs_report(ledger: Ledger, period: Period, taxonomy: Taxonomy, language: Language = "zh") -> Report:
    """The need map of a period: cells, cross tables and heat maps."""
    say = Words(language, taxonomy)
    counts = needs_only(fresh_counts(ledger, period), taxonomy.none_id)
    cells = need_map(counts)
    axes = ("source", "domain", "tier", "district", "week")
    numbers = (say("需求", "Needs"), say("已推荐资源", "Matched"), say("待人工核对", "For review"))
    rows = tuple(
        (*(say.name(getattr(cell, axis)) for axis in axes), cell.needs, cell.matched, cell.reviews)
        for cell in cells
    )
    tables = [
        ReportTable(
            "needs", say("需求图谱", "Need map"), (*(say.name(axis) for axis in axes), *numbers), rows
        )
    ]
    charts = []
    for down, across in (
        ("district", "domain"),
        ("source", "domain"),
        ("domain", "week"),
        ("tier", "domain"),
    ):
        left, top, values = cross(counts, down, across)
        if not left:
            continue
        lefts, tops = tuple(map(say.name, left)), tuple(map(say.name, top))
        title = f"{say.name(down)} × {say.name(across)}"
        cross_rows = tuple((name, *row) for name, row in zip(lefts, values, strict=True))
        tables.append(ReportTable(f"{down}_{across}", title, (say.name(down), *tops), cross_rows))
        charts.append(Heat(title, lefts, tops, tuple(tuple(map(float, row)) for row in values)))
    digest = digest_rows(
        [tuple(getattr(c, n) for n in (*axes, "needs", "matched", "reviews")) for c in cells]
    )
    title = say("需求图谱", "Map of needs")
    return Report(title, _days(period, say), language, tuple(tables), tuple(charts), digest)


def drift_report(
    ledger: Ledger, reference: Period, current: Period, taxonomy: Taxonomy, language: Language = "zh"
) -> Report:
    """What changed from a reference window to a current one."""
    say = Words(language, taxonomy)
    before, after = read_window(ledger, reference), read_window(ledger, current)
    rows = tuple(
        (
            say.name(one.subject), one.statistic, one.effect, None if one.stability != one.stability else one.stability,
            one.p, one.q, say("有漂移", "drifted") if one.drifted else say("稳定", "stable"),
        )
        for one in find_drift(before, after)
    )  # fmt: skip
    columns = (
        say("对象", "Subject"), say("统计量", "Statistic"), say("效应", "Effect"), "PSI", "p",
        say("q（多重校正）", "q (corrected)"), say("结论", "Finding"),
    )  # fmt: skip
    table = ReportTable("drift", say("漂移", "Drift"), columns, rows)
    digest = digest_rows([*((i, hashlib.sha256(t.encode()).hexdigest()) for w in (before, after)
                            for i, t in zip(w.ids, w.texts, strict=True))])  # fmt: skip
    days = f"{_days(reference, say)} → {_days(current, say)}"
    note = say(
        "V 为卡方检验的 Cramér's V，KS 为两样本 KS 距离，JS 为扣除偶然后的 JS 散度；q 小于 0.05 且效应明显才记为漂移。",
        "V is Cramér's V, KS the two-sample distance, JS the divergence beyond chance; drift needs q < 0.05 and a "
        "noticeable effect.",
    )
    return Report(say("输入与预测漂移", "Drift"), days, language, (table,), (), digest, (note,))


def digest_rows(rows: Iterable[Any]) -> str:
    """SHA-256 of rows in order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(
            json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=str).encode() + b"\n"
        )
    return digest.hexdigest()


def _days(period: Period, say: Words) -> str:
    first, last = period.days
    if first is None and last is None:
        return say("全部时间", "all time")
    return f"{first or '…'} — {last or '…'}"

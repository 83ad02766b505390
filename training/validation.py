"""Validation of a labelled batch before anything trains on it: errors stop, warnings do not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from evaluation.similarity import similar_pairs
from models.identifier import Identifier, Knowledge
from nlp.preparing import Preparer
from nlp.records import LabelledMessage, PreparedMessage
from nlp.tables import RowError
from training.batches import Batch
from training.label_errors import DoubtfulLabel, doubtful_labels

ERROR, WARNING, NOTE = "error", "warning", "note"

_HAN = re.compile(r"[\u3400-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")
_NOT_WORDS = re.compile(r"[\W_]+")
_EXCERPT = 48


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is said, as shares in 0–1 unless told otherwise.

    More than `bad_rows` unusable rows or `doubtful` labels stop, the labels only where `fewest_to_judge`
    records, earlier ones included, are there to judge by; texts are near duplicates from a trigram Jaccard
    similarity of `near`; a label with fewer than `rare` records (a count) is rare; drift needs a probability below
    `chance` and an effect (Cramér's V, Kolmogorov–Smirnov distance) above `drift`.
    """

    bad_rows: float = 0.05
    doubtful: float = 0.15
    fewest_to_judge: int = 200
    near: float = 0.8
    rare: int = 20
    chinese: float = 0.3
    chance: float = 0.01
    drift: float = 0.15


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found: the batch's line, what is to be seen there, and an excerpt of the masked text."""

    line: int
    told: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing checked: how grave it is (`error`, `warning`, `note`), how often found, and where."""

    check: str
    severity: str
    count: int
    told: str
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What was found about one batch; `balance` counts labels by decision, `doubtful` numbers usable records."""

    batch: str
    sha256: str
    n_rows: int
    n_usable: int
    findings: tuple[Finding, ...]
    balance: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop training."""
        return tuple(finding for finding in self.findings if finding.severity == ERROR)


@dataclass(frozen=True)
class Validation:
    """One batch beside what it is held against: the frozen test records, the records of earlier batches, and a model
    that has not seen it (`judge`), whose doubts count in the search for wrong labels.
    """

    batch: Batch
    knowledge: Knowledge
    test: Sequence[LabelledMessage] = ()
    earlier: Sequence[LabelledMessage] = ()
    limits: Limits = field(default_factory=Limits)
    judge: Identifier | None = None

    @cached_property
    def _read(self) -> list[tuple[int, LabelledMessage | RowError]]:
        return self.batch.read(self.knowledge.taxonomy)

    @cached_property
    def records(self) -> list[LabelledMessage]:
        """The usable records."""
        return [record for _, record in self._read if isinstance(record, LabelledMessage)]

    @cached_property
    def _lines(self) -> list[int]:
        return [line for line, record in self._read if isinstance(record, LabelledMessage)]

    @cached_property
    def _prepared(self) -> list[PreparedMessage]:
        return Preparer(self.knowledge.taxonomy).prepare([record.message for record in self.records])

    def report(self) -> ValidationReport:
        """Every finding, the gravest first."""
        checks: tuple[Callable[[], Iterator[Finding]], ...] = (
            self._rows,
            self._leakage,
            self._label_errors,
            self._empty,
            self._duplicates,
            self._rare,
            self._drift,
            self._personal_data,
        )
        findings = [finding for check in checks for finding in check()]
        findings.sort(key=lambda finding: (ERROR, WARNING, NOTE).index(finding.severity))
        return ValidationReport(
            self.batch.name,
            self.batch.sha256,
            len(self._read),
            len(self.records),
            tuple(findings),
            {name: dict(counts) for name, counts in _balance(self.records).items()},
        )

    def _place(self, number: int, told: str) -> Place:
        return Place(self._lines[number], told, self._prepared[number].text[:_EXCERPT])

    def _rows(self) -> Iterator[Finding]:
        bad = [Place(line, row.problem) for line, row in self._read if isinstance(row, RowError)]
        share = len(bad) / max(len(self._read), 1)
        if not self.records:
            told = "没有可用的行 · no usable row"
            yield Finding("rows", ERROR, len(bad), told, tuple(bad))
        elif bad:
            told = f"{len(bad)} 行不可用（{share:.1%}），训练时略去 · rows that cannot be used are left out"
            yield Finding(
                "rows", ERROR if share > self.limits.bad_rows else WARNING, len(bad), told, tuple(bad)
            )

    def _empty(self) -> Iterator[Finding]:
        empty, foreign = [], []
        for number, one in enumerate(self._prepared):
            letters = len(_LETTER.findall(one.text))
            if not _NOT_WORDS.sub("", one.text):
                empty.append(self._place(number, "清洗后无文字 · nothing is left after cleaning"))
            elif letters and len(_HAN.findall(one.text)) < self.limits.chinese * letters:
                foreign.append(self._place(number, "几乎没有汉字 · hardly any Chinese"))
        for check, places, told in (
            ("empty", empty, "清洗后为空的文本 · texts that are empty after cleaning"),
            ("not_chinese", foreign, "非中文文本 · texts that are not Chinese"),
        ):
            if places:
                yield Finding(check, WARNING, len(places), told, tuple(places))

    def _leakage(self) -> Iterator[Finding]:
        if not self.test or not self.records:
            return
        tested = Preparer(self.knowledge.taxonomy).prepare([record.message for record in self.test])
        texts = [one.text for one in (*self._prepared, *tested)]
        own = len(self._prepared)
        places = {
            a: self._place(
                a, f"与测试集第 {b - own + 1} 条相似 {likeness:.2f} · like test record {b - own + 1}"
            )
            for a, b, likeness in reversed(similar_pairs(texts, self.limits.near))
            if a < own <= b
        }
        if places:
            told = (
                "与测试集相同或近似：请从批次中删除 · stand in the test set too; remove them from the batch"
            )
            yield Finding("leakage", ERROR, len(places), told, tuple(places[key] for key in sorted(places)))

    def _duplicates(self) -> Iterator[Finding]:
        same: list[Place] = []
        near: list[Place] = []
        conflicts: list[Place] = []
        for a, b, likeness in similar_pairs([one.text for one in self._prepared], self.limits.near):
            first, second = self.records[a].domain, self.records[b].domain
            (same if likeness >= 1.0 else near).append(
                self._place(b, f"与第 {self._lines[a]} 行 · as line {self._lines[a]} ({likeness:.2f})")
            )
            if first != second:
                told = f"第 {self._lines[a]} 行为 {first}，此行为 {second} · labelled otherwise"
                conflicts.append(self._place(b, told))
        for places in (same, near, conflicts):
            places.sort(key=lambda place: place.line)
        for check, places, told in (
            ("conflicts", conflicts, "相同或近似的文本标注不一 · like texts with unlike labels"),
            ("duplicates", same, "重复的文本 · texts that stand twice"),
            ("near_duplicates", near, "近似的文本 · texts almost alike"),
        ):
            if places:
                yield Finding(check, WARNING, len(places), told, tuple(places))

    def _label_errors(self) -> Iterator[Finding]:
        if not self.records:
            return
        doubtful = self._doubtful()
        share = len(doubtful) / len(self.records)
        if doubtful:
            told = f"标注可疑的行（{share:.1%}），请复核 · labels likely wrong; look at them again"
            judged = len(self.records) + len(self.earlier) >= self.limits.fewest_to_judge
            severity = ERROR if judged and share > self.limits.doubtful else WARNING
            places = tuple(
                self._place(one.number, f"{one.given} → {one.suggested}? (p={one.probability:.2f})")
                for one in doubtful
            )
            yield Finding("label_errors", severity, len(doubtful), told, places)

    def _doubtful(self) -> list[DoubtfulLabel]:
        """Doubtful labels of the batch, judged together with the earlier records."""
        earlier = list(self.earlier)
        prepared = Preparer(self.knowledge.taxonomy).prepare([record.message for record in earlier])
        found = doubtful_labels(
            [*self.records, *earlier], [*self._prepared, *prepared], self.knowledge, self.judge
        )
        return [one for one in found if one.number < len(self.records)]

    def _rare(self) -> Iterator[Finding]:
        for name, counts in _balance(self.records).items():
            rare = {label: count for label, count in counts.items() if count < self.limits.rare}
            if rare and len(counts) > 1:
                listed = "、".join(f"{label} {count}" for label, count in sorted(rare.items()))
                told = f"{name}: 少于 {self.limits.rare} 条的类别 · labels with few records: {listed}"
                yield Finding("balance", WARNING, len(rare), told)

    def _drift(self) -> Iterator[Finding]:
        if not self.earlier or not self.records:
            return
        domains = ([one.domain for one in of] for of in (self.earlier, self.records))
        yield from self._told_drift("domain", "Cramér V", *_shift(*domains))
        sources = ([one.message.source or "-" for one in of] for of in (self.earlier, self.records))
        yield from self._told_drift("source", "Cramér V", *_shift(*sources))
        from scipy.stats import ks_2samp  # slow to import

        found = ks_2samp(
            [len(one.message.full_text) for one in self.earlier],
            [len(one.message.full_text) for one in self.records],
        )
        yield from self._told_drift("length", "KS D", float(found.pvalue), float(found.statistic))

    def _told_drift(self, name: str, measure: str, p: float, effect: float) -> Iterator[Finding]:
        drifted = p < self.limits.chance and effect > self.limits.drift
        told = f"{name} 与以往批次{'不同' if drifted else '相近'} · {measure} = {effect:.3f}, p = {p:.2g}"
        yield Finding("drift", WARNING if drifted else NOTE, int(drifted), told)

    def _personal_data(self) -> Iterator[Finding]:
        kinds: Counter[str] = Counter()
        places = []
        for number, one in enumerate(self._prepared):
            found = Counter(span.kind for span in one.spans)
            kinds.update(found)
            if found:
                told = "、".join(f"{kind}×{times}" for kind, times in sorted(found.items()))
                places.append(self._place(number, told))
        if places:
            listed = "、".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
            told = f"应已遮蔽的个人信息（训练前会遮蔽）· personal data that should have been masked: {listed}"
            yield Finding("personal_data", WARNING, len(places), told, tuple(places))


def _balance(records: Sequence[LabelledMessage]) -> dict[str, Counter[str]]:
    counts = {
        "domain": Counter(record.domain for record in records),
        "tier": Counter(record.tier for record in records if record.tier),
        "urgency": Counter(record.urgency for record in records if record.urgency),
    }
    return {name: Counter(dict(counted.most_common())) for name, counted in counts.items() if counted}


def _shift(first: Sequence[str], second: Sequence[str]) -> tuple[float, float]:
    """Probability and Cramér's V in 0–1 (bias-corrected, Bergsma 2013) that two samples' shares differ by chance."""
    from scipy.stats import chi2_contingency  # slow to import

    names = sorted({*first, *second})
    if len(names) < 2:
        return 1.0, 0.0
    counts = (Counter(first), Counter(second))
    table = np.asarray([[count[name] for name in names] for count in counts])
    found = chi2_contingency(table)
    n = table.sum()
    phi = max(0.0, float(found.statistic) / n - (len(names) - 1) / (n - 1))
    return float(found.pvalue), float(np.sqrt(phi))

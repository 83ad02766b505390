"""Accuracy from the ledger: what audits estimate, and beside it, unweighted, what feedback says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.cases import MEASURES, RIGHT, UNKNOWN, Cases, read_audited, read_told
from evaluation.columns import Column
from evaluation.estimators import estimate_shares
from evaluation.ledger import Ledger
from evaluation.metrics import Estimate, wilson
from evaluation.periods import Period

DIMENSIONS = ("domain", "true_domain", "tier", "source", "district", "model", "week")
ALL = "all"


@dataclass(frozen=True, slots=True)
class Figure:
    """One accuracy: of `measure`, for the cases whose `dimension` is `key` (both `all` for the whole).

    `audited` is the estimate over all predictions of the period that audits drew from, None without audited cases;
    `told` the plain share with Wilson's interval among the cases feedback, reviews and desks speak of, which nobody
    drew and which are therefore no fair sample. `population` estimates how many predictions `audited` speaks for.
    """

    measure: str
    dimension: str
    key: str
    audited: Estimate | None
    n_audited: int
    population: float
    told: Estimate | None
    n_told: int


@dataclass(frozen=True, slots=True)
class Books:
    """The judged cases of a period, read once for all its figures."""

    period: Period
    audited: Cases
    told: Cases

    @classmethod
    def open(cls, ledger: Ledger, period: Period) -> Books:
        """Read a period of the ledger."""
        return cls(period, read_audited(ledger, period), read_told(ledger, period))

    def figures(
        self, dimensions: Sequence[str] = (ALL, *DIMENSIONS), measures: Sequence[str] = MEASURES
    ) -> list[Figure]:
        """Every measure by every dimension, keys in order; keys nobody judged are left out."""
        return [
            figure
            for measure in measures
            for dimension in dimensions
            for figure in self._figures(measure, dimension)
        ]

    def figure(self, measure: str, dimension: str = ALL, key: str = ALL) -> Figure:
        """One figure. Raises LookupError when nobody judged such a case."""
        for figure in self._figures(measure, dimension):
            if figure.key == key:
                return figure
        raise LookupError(f"no judged case for {measure} where {dimension} is {key!r}; audit some")

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Every judged case with all that its figures depend on, in order of its id, for a digest."""
        for kind, cases in (("audit", self.audited), ("told", self.told)):
            for case in sorted(range(len(cases)), key=cases.ids.__getitem__):
                labels = [column[case] for column in cases.columns.values()]
                verdicts = [int(found[case]) for found in cases.verdicts.values()]
                size = float(cases.sizes[cases.strata[case]]) if kind == "audit" else 1.0
                yield (kind, cases.ids[case], *labels, *verdicts, bool(cases.inside[case]), size)

    def _figures(self, measure: str, dimension: str) -> list[Figure]:
        audited, told = _keys(self.audited, dimension), _keys(self.told, dimension)
        drawn, heard = self.audited.judged(measure), self.told.judged(measure)
        names = sorted({*_values(audited, drawn), *_values(told, heard)})
        if not names:
            return []
        shares = _estimate(self.audited, measure, audited.among(names), len(names))
        groups = told.among(names)[heard]
        right = self.told.verdicts[measure][heard] == RIGHT
        n_told = np.bincount(groups, minlength=len(names)).tolist()
        hits = np.bincount(groups[right], minlength=len(names)).tolist()
        return [
            Figure(
                measure,
                dimension,
                name,
                *shares[n],
                told=wilson(hits[n], n_told[n]) if n_told[n] else None,
                n_told=n_told[n],
            )
            for n, name in enumerate(names)
        ]


def _keys(cases: Cases, dimension: str) -> Column:
    return Column.constant(ALL, len(cases)) if dimension == ALL else cases.columns[dimension]


def _values(column: Column, rows: NDArray[np.bool_]) -> list[str]:
    return [column.values[code] for code in np.unique(column.codes[rows]).tolist()]


def _estimate(
    cases: Cases, measure: str, groups: NDArray[np.int64], n_groups: int
) -> list[tuple[Estimate | None, int, float]]:
    judged = cases.verdicts[measure] != UNKNOWN
    applies = (cases.judged(measure) & (groups >= 0))[judged]
    right = cases.verdicts[measure][judged] == RIGHT
    found = estimate_shares(
        right, applies, np.maximum(groups[judged], 0), n_groups, cases.strata[judged], cases.sizes
    )
    bounds = zip(found.value.tolist(), found.low.tolist(), found.high.tolist(), strict=True)
    numbers = zip(found.cases.tolist(), found.population.tolist(), strict=True)
    return [
        (Estimate(*bound) if n else None, n, population)
        for bound, (n, population) in zip(bounds, numbers, strict=True)
    ]


def trail(books: Books, measure: str, dimension: str = ALL, key: str = ALL) -> list[dict[str, Any]]:
    """The rows behind one figure, audited ones first: prediction, verdict, weight, and the versions that answered.

    The weighted mean of `right` over the rows of kind `audit` is the figure's estimate; the plain mean over those
    of kind `told` is its feedback share.
    """
    rows: list[dict[str, Any]] = []
    for kind, cases in (("audit", books.audited), ("told", books.told)):
        chosen = np.flatnonzero(cases.judged(measure) & (_keys(cases, dimension).equals(key)))
        known = cases.strata[cases.verdicts[measure] != UNKNOWN]
        judged = np.bincount(known, minlength=len(cases.sizes))
        for case in chosen.tolist():
            stratum = cases.strata[case]
            rows.append(
                {"kind": kind, "prediction_id": cases.ids[case]}
                | {
                    name: cases.columns[name][case]
                    for name in ("domain", "true_domain", "tier", "urgency", "source", "district", "week")
                }
                | {"right": int(cases.verdicts[measure][case] == RIGHT)}
                | {"weight": float(cases.sizes[stratum] / judged[stratum]) if kind == "audit" else 1.0}
                | {name: cases.columns[name][case] for name in ("model", "taxonomy", "catalogue")}
                | {"audit": cases.columns["audit"][case] if kind == "audit" else ""}
            )
    return rows

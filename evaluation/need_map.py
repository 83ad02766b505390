"""The map of needs 需求图谱: how many needs each source, domain, tier, district and week holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.columns import count_cells
from evaluation.counts import Counts

AXES = ("source", "domain", "tier", "district", "week")


@dataclass(frozen=True, slots=True)
class NeedCell:
    """The needs that share all five axes ('' where one is not known): how many, found a resource, wait for review."""

    source: str
    domain: str
    tier: str
    district: str
    week: str
    needs: int
    matched: int
    reviews: int


def needs_only(counts: Counts, none_id: str | None) -> Counts:
    """The counts of messages that hold a need; `none_id` is the label of those without one."""
    return counts if none_id is None else counts.keep(~counts.columns["domain"].equals(none_id))


def need_map(counts: Counts) -> list[NeedCell]:
    """The cells that hold a need, in order of the axes."""
    columns = [counts.columns[axis] for axis in AXES]
    totals = count_cells(columns, counts.predictions)
    matched, reviews = dict(count_cells(columns, counts.matched)), dict(count_cells(columns, counts.reviews))
    return [
        NeedCell(
            **dict(zip(AXES, cell, strict=True)),
            needs=n,
            matched=matched.get(cell, 0),
            reviews=reviews.get(cell, 0),
        )
        for cell, n in totals
    ]


def cross(counts: Counts, rows: str, columns: str) -> tuple[list[str], list[str], list[list[int]]]:
    """Needs by two axes: row values, column values and the counts `(n_rows, n_columns)`."""
    down, across = counts.columns[rows], counts.columns[columns]
    table = np.zeros((len(down.values), len(across.values)), np.int64)
    np.add.at(table, (down.codes, across.codes), counts.predictions)
    kept, held = table.sum(axis=1) > 0, table.sum(axis=0) > 0
    return (
        [value for value, keep in zip(down.values, kept.tolist(), strict=True) if keep],
        [value for value, keep in zip(across.values, held.tolist(), strict=True) if keep],
        table[kept][:, held].tolist(),
    )

"""Columns of labels as numbers, so that grouping many rows sorts no text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Column:
    """Labels of rows: `values` sorted, `codes` `(n_rows,)` their numbers."""

    values: tuple[str, ...]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, labels: Iterable[str | None]) -> Column:
        """A column of labels in order, '' for None."""
        told = [label or "" for label in labels]
        values = sorted(set(told))
        numbers = {value: number for number, value in enumerate(values)}
        return cls(tuple(values), np.fromiter(map(numbers.__getitem__, told), np.int64, len(told)))

    @classmethod
    def constant(cls, label: str, n_rows: int) -> Column:
        """A column of one label."""
        return cls((label,), np.zeros(n_rows, np.int64))

    def __getitem__(self, row: int) -> str:
        return self.values[int(self.codes[row])]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Column:
        """The column of some rows, with the same values."""
        return Column(self.values, self.codes[rows])

    def among(self, values: Sequence[str]) -> NDArray[np.int64]:
        """Each row's number among other sorted values, -1 where it is none of them."""
        place = {value: number for number, value in enumerate(values)}
        numbers = np.asarray([place.get(value, -1) for value in self.values], np.int64)
        return numbers[self.codes] if len(self.values) else self.codes

    def equals(self, value: str) -> NDArray[np.bool_]:
        """Which rows have the value."""
        found: NDArray[np.bool_] = self.among([value]) == 0
        return found

    def same(self, other: Column) -> NDArray[np.bool_]:
        """Which rows have the same label in both columns."""
        found: NDArray[np.bool_] = self.among(other.values) == other.codes
        return found


def count_cells(columns: Sequence[Column], weights: NDArray[np.int64]) -> list[tuple[tuple[str, ...], int]]:
    """The sums of `weights` over rows that share the labels of all columns, in order of the labels."""
    shape = tuple(max(len(column.values), 1) for column in columns)
    cells = np.ravel_multi_index([column.codes for column in columns], shape)
    kept, codes = np.unique(cells, return_inverse=True)
    sums = np.zeros(len(kept), np.int64)
    np.add.at(sums, codes, weights)
    labels = [
        [column.values[code] for code in of_axis.tolist()]
        for column, of_axis in zip(columns, np.unravel_index(kept, shape), strict=True)
    ]
    return [(cell, int(n)) for cell, n in zip(zip(*labels, strict=True), sums.tolist(), strict=True) if n]

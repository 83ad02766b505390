"""Vectors: which resources mean what a need means, by inner product of unit vectors (FAISS), under a filter.

Small stocks and narrow filters are searched exactly. In a large stock vectors are kept in cells (inverted file,
Jégou, Douze and Schmid 2011, "Product quantization for nearest neighbor search"), and only the cells nearest to the
need are looked at: a narrow filter is cut down to those cells first, a wide one is asked while they are scanned.
`benchmarks/index.py` measures what that costs in recall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]

LARGE = 50_000  # vectors from which on they are kept in cells
_EXACT = 4_096  # allowed vectors up to which all are compared
_NARROW = 1 / 10  # a filter that keeps less is cut down before the search
_PROBED_NARROW, _PROBED_WIDE = 1 / 6, 1 / 12  # shares of the cells that are looked at
_TRAINING_PER_CELL, _TRAINING_ROUNDS = 64, 8


@dataclass(frozen=True, slots=True)
class _Cells:
    """An inverted file and the cell (n_vectors) of each vector."""

    index: Any
    owners: NDArray[np.int16]

    @classmethod
    def of(cls, vectors: Floats) -> _Cells:
        n_cells = min(int(len(vectors) ** 0.5), np.iinfo(np.int16).max)
        width = vectors.shape[1]
        quantizer = faiss.IndexFlatIP(width)
        kind = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, width, n_cells, kind, faiss.METRIC_INNER_PRODUCT, False
        )
        index.cp.niter, index.cp.max_points_per_centroid = _TRAINING_ROUNDS, _TRAINING_PER_CELL
        index.cp.spherical = True
        index.train(vectors)
        _, cells = quantizer.search(vectors, 1)
        owners = cells[:, 0].astype(np.int16)
        index.add_core(
            len(vectors), faiss.swig_ptr(vectors), None, faiss.swig_ptr(np.ascontiguousarray(cells[:, 0]))
        )
        return cls(index, owners)

    def near(self, vector: Floats, allowed: Counts) -> Counts:
        """Those of `allowed` that lie in the cells nearest to `vector`."""
        n_cells = self.index.nlist
        probed = np.zeros(n_cells, bool)
        _, cells = self.index.quantizer.search(vector[None, :], max(int(n_cells * _PROBED_NARROW), 1))
        probed[cells[0]] = True
        near: Counts = allowed[probed[self.owners[allowed]]]
        return near

    def search(self, vector: Floats, mask: Mask, k: int) -> Counts:
        """Numbers of about the `k` nearest vectors that `mask` marks, looked for in the nearest cells."""
        bits = np.packbits(mask, bitorder="little")
        library: Any = faiss
        n_probed = max(int(self.index.nlist * _PROBED_WIDE), 1)
        chosen = library.IVFSearchParameters(sel=library.IDSelectorBitmap(bits), nprobe=n_probed)
        _, found = self.index.search(vector[None, :], k, params=chosen)
        numbers: Counts = found[0]
        return numbers


class VectorIndex:
    """Vectors (n_texts, width), searched under a filter; never changed once built."""

    def __init__(self, vectors: Floats) -> None:
        given = np.ascontiguousarray(vectors, np.float32)
        self._flat = faiss.IndexFlatIP(given.shape[1])
        self._flat.add(given)
        held = faiss.rev_swig_ptr(self._flat.get_xb(), given.size) if given.size else given
        self.vectors: Floats = held.reshape(given.shape)  # the index's own memory
        self._cells = _Cells.of(self.vectors) if len(self.vectors) >= LARGE else None

    @classmethod
    def join(cls, parts: Sequence[tuple[VectorIndex, Mask]]) -> VectorIndex:
        """One index of the vectors marked in each part's mask (n_texts), in order."""
        return cls(np.concatenate([one.vectors[kept] for one, kept in parts]))

    def search(self, vector: Floats, mask: Mask, k: int, allowed: Counts | None = None) -> Counts:
        """Numbers of the `k` vectors nearest to `vector` (width) among those `mask` (n_texts) marks, nearest first.

        `allowed` may bring the marked numbers along. As many as the mask has are always found, up to `k`.
        """
        allowed = np.flatnonzero(mask) if allowed is None else allowed
        cells = self._cells
        if cells is not None and len(allowed) > _EXACT:
            if len(allowed) < _NARROW * len(self.vectors):
                near = cells.near(vector, allowed)
                if len(near) >= k:
                    return self._exact(vector, near, k)
            else:
                found = cells.search(vector, mask, k)
                if (found >= 0).all():
                    return found
        return self._exact(vector, allowed, k)

    def _exact(self, vector: Floats, allowed: Counts, k: int) -> Counts:
        if not len(allowed):
            return allowed
        library: Any = faiss
        chosen = library.SearchParameters(sel=library.IDSelectorArray(allowed))
        _, found = self._flat.search(vector[None, :], min(k, len(allowed)), params=chosen)
        numbers: Counts = found[0]
        return numbers[numbers >= 0]

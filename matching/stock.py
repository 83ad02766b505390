"""The stock: the resources on offer at one moment, a mapping by id that is never changed but replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from matching.catalogue import mark_of, version_of
from matching.records import Resource
from matching.segment import Segment

_FRESH = 256  # resources in the segment that the next change rewrites
_GROWTH = 4  # a segment is folded into the next larger one when it has reached a quarter of it


@dataclass(frozen=True)
class Part:
    """A segment and which of its resources (n_resources) are still on offer."""

    segment: Segment
    alive: NDArray[np.bool_]

    @classmethod
    def whole(cls, segment: Segment) -> Part:
        """All resources of a segment."""
        return cls(segment, np.ones(len(segment), bool))

    @cached_property
    def n_alive(self) -> int:
        """How many resources are on offer."""
        return int(self.alive.sum())

    def without(self, ids: Sequence[str]) -> Part:
        """The same without those of `ids` it holds."""
        places = [place for place in map(self.segment.places.get, ids) if place is not None]
        if not places:
            return self
        alive = self.alive.copy()
        alive[places] = False
        return replace(self, alive=alive)


@dataclass(frozen=True)
class Stock(Mapping[str, Resource]):
    """Resources by id in segments, the largest first; `mark` stands for the content whatever its order."""

    parts: tuple[Part, ...] = ()
    mark: int = 0

    @cached_property
    def version(self) -> str:
        """12 hexadecimal digits that change with the content."""
        return version_of(self.mark)

    def __getitem__(self, resource_id: str) -> Resource:
        for part in reversed(self.parts):
            place = part.segment.places.get(resource_id)
            if place is not None and part.alive[place]:
                return part.segment.resources[place]
        raise KeyError(resource_id)

    def __iter__(self) -> Iterator[str]:
        for part in self.parts:
            for resource in compress(part.segment.resources, part.alive.tolist()):
                yield resource.id

    def __len__(self) -> int:
        return sum(part.n_alive for part in self.parts)

    def without(self, ids: Sequence[str]) -> Stock:
        """The stock without those of `ids` it holds."""
        gone = [resource for resource in map(self.get, ids) if resource is not None]
        mark = self.mark - sum(map(mark_of, gone))
        kept = tuple(part for part in (one.without(ids) for one in self.parts) if part.n_alive)
        return Stock(kept, mark)

    def added(self, segment: Segment) -> Stock:
        """The stock with a segment's resources, in place of those with the same ids."""
        ids = list(segment.places)
        rest = self.without(ids)
        mark = rest.mark + sum(map(mark_of, segment.resources))
        parts = rest.parts
        last = parts[-1] if parts else None
        if last is not None and last.n_alive + len(segment) <= _FRESH:
            both = [(last.segment, last.alive), (segment, np.ones(len(segment), bool))]
            return Stock((*parts[:-1], Part.whole(Segment.join(both))), mark)
        return Stock((*parts, Part.whole(segment)), mark)

    def worth_folding(self) -> int | None:
        """From which part on all parts should become one; None while they are few and full enough."""
        for number, part in enumerate(self.parts):
            later = sum(one.n_alive for one in self.parts[number + 1 :])
            if (later * _GROWTH >= part.n_alive and later) or part.n_alive * 2 < len(part.segment):
                return number
        return None

    def folded(self, first: int, segment: Segment, before: Stock) -> Stock:
        """The stock with `segment`, made of `before`'s parts from `first` on, in their place.

        What was changed since `before` stays changed.
        """
        old = before.parts[first:]
        fresh = tuple(part for part in self.parts if all(part.segment is not one.segment for one in old))
        now = {id(part.segment): part.alive for part in self.parts}
        alive = np.concatenate(
            [now.get(id(one.segment), np.zeros(len(one.segment), bool))[one.alive] for one in old]
        )
        kept = tuple(part for part in fresh if any(part.segment is one.segment for one in before.parts))
        new = tuple(part for part in fresh if all(part.segment is not one.segment for one in before.parts))
        folded = (Part(segment, alive),) if alive.any() else ()
        return Stock((*kept, *folded, *new), self.mark)

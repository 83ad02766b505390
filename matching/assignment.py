"""Assignment: a morning's requests to resources at once, under what each can still take.

A minimum-cost flow from requests to resources. Its constraint matrix is totally unimodular (Hoffman and Kruskal 1956), so
the linear programme solved by HiGHS (Huangfu and Hall 2018, in SciPy) has a whole-numbered optimum. Serving a request is
worth more than any gain in score, and a pressing one more than a calm one: nobody is left out so that another gets a
slightly better resource.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from matching.records import Match, Matching, Resource

_SERVED = 2.0  # what being served is worth beside a score in 0–1


@dataclass(frozen=True, slots=True)
class Assigned:
    """What one request was given; `match` is None where nothing fits or `crowded_out` by others who took it all."""

    match: Match | None
    crowded_out: bool = False


def capacities(resources: Mapping[str, Resource]) -> dict[str, int | None]:
    """How many more each resource can serve; None is unlimited."""
    return {name: one.capacity.left if one.capacity else None for name, one in resources.items()}


def assign(
    matchings: Sequence[Matching],
    left: Mapping[str, int | None],
    ranks: Sequence[int] | None = None,
) -> list[Assigned]:
    """At most one resource for every request, none beyond what it can take, together worth the most.

    `left` is how many each resource can still serve (None: any number; absent: none), `ranks` (n_requests) how pressing each
    request is, 0 the calmest. Raises ValueError for a negative capacity or rank.
    """
    pressing = np.zeros(len(matchings)) if ranks is None else np.asarray(ranks, np.float64)
    if len(pressing) != len(matchings) or (pressing < 0).any():
        raise ValueError(
            f"{len(matchings)} requests and {len(pressing)} ranks; give one rank of 0 or more each"
        )
    if wrong := [name for name, number in left.items() if number is not None and number < 0]:
        raise ValueError(f"resource {wrong[0]!r} has a negative capacity; give 0 or more")
    arcs = [
        (row, match)
        for row, one in enumerate(matchings)
        for match in one.matches
        if left.get(match.resource_id, 0) != 0
    ]
    given: list[Match | None] = [None] * len(matchings)
    for number in _optimum(arcs, left, pressing):
        row, match = arcs[number]
        given[row] = match
    return [
        Assigned(match, match is None and bool(one.matches))
        for match, one in zip(given, matchings, strict=True)
    ]


def _optimum(
    arcs: Sequence[tuple[int, Match]], left: Mapping[str, int | None], pressing: np.ndarray
) -> list[int]:
    """Numbers of the arcs that carry flow."""
    if not arcs:
        return []
    from scipy import optimize  # slow to import

    rows = np.asarray([row for row, _ in arcs])
    scores = np.asarray([match.score for _, match in arcs])
    limited = sorted({m.resource_id for _, m in arcs if left[m.resource_id] is not None})
    places = {name: len(pressing) + number for number, name in enumerate(limited)}
    bounded = [(n, places[m.resource_id]) for n, (_, m) in enumerate(arcs) if m.resource_id in places]
    columns = np.concatenate([np.arange(len(arcs)), np.asarray([n for n, _ in bounded], np.int64)])
    constraints = np.concatenate([rows, np.asarray([place for _, place in bounded], np.int64)])
    shape = (len(pressing) + len(limited), len(arcs))
    matrix = sparse.csr_matrix((np.ones(len(columns)), (constraints, columns)), shape=shape)
    most = np.concatenate([np.ones(len(pressing)), [float(left[name] or 0) for name in limited]])
    worth = _SERVED * (1 + pressing[rows]) + scores
    found = optimize.linprog(-worth, A_ub=matrix, b_ub=most, bounds=(0, 1), method="highs-ds")
    if found.x is None:
        raise RuntimeError(f"the solver found no assignment: {found.message}")
    chosen: list[int] = np.flatnonzero(found.x > 0.5).tolist()
    return chosen

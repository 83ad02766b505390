"""How far annotators agree on the messages both labelled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from evaluation.metrics import Estimate, cohen_kappa

DECISIONS = ("domain", "tier", "urgency")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cohen's kappa of two annotators on one decision over the `n` messages both labelled."""

    decision: str
    annotators: tuple[str, str]
    n: int
    agreed: float
    kappa: Estimate


def agreements(rows: Sequence[Mapping[str, Any]], fewest: int = 2) -> list[Agreement]:
    """Agreement of every pair of annotators on every decision; rows hold `id`, `annotator` and labels.

    The last label an annotator gave a message counts; pairs with fewer than `fewest` messages in common are left out.
    """
    told: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows:
        told[str(row["annotator"])][str(row["id"])] = row
    found = []
    for first, second in combinations(sorted(told), 2):
        common = sorted(set(told[first]) & set(told[second]))
        for decision in DECISIONS:
            both = [
                key for key in common if told[first][key].get(decision) and told[second][key].get(decision)
            ]
            if len(both) < fewest:
                continue
            one = [str(told[first][key][decision]) for key in both]
            two = [str(told[second][key][decision]) for key in both]
            agreed = sum(a == b for a, b in zip(one, two, strict=True)) / len(both)
            found.append(Agreement(decision, (first, second), len(both), agreed, cohen_kappa(one, two)))
    return found

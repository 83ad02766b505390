"""Ranking: how likely a resource is to meet a need, from what is known of both.

Logistic regression over some readings of a request and a resource. The weights are learned from matched
requests (`zhixu resources learn`) and later from outcomes; the shipped ones learned from the project's own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

READINGS = (
    "dense", "lexical", "dense_lead", "lexical_lead", "domain", "topic", "topic_likeness", "tier",
    "rules_met", "rules_open", "local", "topic_by_lexical", "topic_by_dense", "dense_score", "lexical_score",
)  # fmt: skip


# Mean and deviation of all the candidates of the shipped train and validation requests: what a few candidates are held to.
_USUAL_DENSE, _USUAL_LEXICAL = (0.14, 0.11), (0.0054, 0.0038)
_USUAL_COUNT = 10


class RankerError(ValueError):
    """A ranker file that cannot be used, with the remedy."""


@dataclass(frozen=True, slots=True)
class Ranker:
    """Weights of the readings, in their order, and from which probability a resource is offered."""

    weights: tuple[float, ...]
    bias: float
    fits_from: float

    @classmethod
    def load(cls, path: Path | None = None) -> Ranker:
        """Read a ranker file, the shipped one by default.

        Raises RankerError when its readings are not this version's.
        """
        path = path or Path(__file__).with_name("ranker.json")
        try:
            content = json.loads(path.read_text("utf-8"))
            weights = content["weights"]
            if tuple(weights) != READINGS:
                raise KeyError
            return cls(
                tuple(map(float, weights.values())), float(content["bias"]), float(content["fits_from"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            raise RankerError(
                f"{path}: no ranker of this version; run `zhixu resources learn` again"
            ) from None

    def to_json(self) -> str:
        """The content of a ranker file."""
        weights = dict(zip(READINGS, (round(weight, 5) for weight in self.weights), strict=True))
        content = {"weights": weights, "bias": round(self.bias, 5), "fits_from": round(self.fits_from, 5)}
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    def probabilities(self, readings: Floats) -> NDArray[np.float64]:
        """Probability (n_candidates) that each candidate meets the need, from readings (n_candidates, n_readings)."""
        logits = readings.astype(np.float64) @ np.asarray(self.weights) + self.bias
        given: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * logits))
        return given


UNTRAINED = Ranker((0.0,) * len(READINGS), 0.0, 0.0)


def readings(
    dense: Floats,
    lexical: Floats,
    domain: Floats,
    topic: Floats,
    likeness: Floats,
    tier: Floats,
    rules: NDArray[np.int64],
    local: NDArray[np.bool_],
) -> Floats:
    """The readings (n_candidates, n_readings) of one request's candidates.

    `dense` and `lexical` are the closeness of meaning and words; `domain`, `topic` and `tier` the request's probability mass on what the
    resource serves; `likeness` how alike the topics of both texts are (Bhattacharyya coefficient); `rules`
    (n_candidates, 2) counts eligibility rules met and open; `local` marks resources for named districts only.
    """
    columns = (
        dense,
        lexical,
        dense - dense.max(initial=-1.0),
        lexical - lexical.max(initial=-1.0),
        domain,
        np.sqrt(topic),
        likeness,
        tier,
        np.minimum(rules[:, 0], 1),
        np.minimum(rules[:, 1], 2),
        local,
        np.sqrt(topic) * lexical,
        np.sqrt(topic) * dense,
        _standard(dense, _USUAL_DENSE),
        _standard(lexical, _USUAL_LEXICAL),
    )
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)


def _standard(values: Floats, usual: tuple[float, float]) -> Floats:
    """How many standard deviations each candidate lies above a request's others, with ten usual candidates among them."""
    mean, deviation = usual
    count = len(values) + _USUAL_COUNT
    centre = (values.sum() + _USUAL_COUNT * mean) / count
    spread = np.sqrt((((values - centre) ** 2).sum() + _USUAL_COUNT * deviation**2) / count)
    scores: Floats = (values - centre) / spread
    return scores

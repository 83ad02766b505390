"""Champion against challenger: two models on the same messages, difference by difference, and what follows.

Differences carry paired bootstrap intervals (Efron and Tibshirani 1993) and, where a decision is right or wrong
message by message, McNemar's exact test (McNemar 1947; Edwards 1948). Gains and losses in single labels and sources
are told from luck after Holm's correction (Holm 1979) over all of them; losses overall are not corrected, for a refusal
is the smaller harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import N_REPLICATES, Estimate, f1_scores
from models.records import Identification
from nlp.records import LabelledMessage

DECISIONS = ("domain", "tier", "urgency")
OVERALL = "all"
_DOUBT = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of both models: `measure` is macro_f1 or accuracy of `decision`, over the records of `group`.

    Figures are shares in 0–1; `difference` is challenger less champion with its 95% interval; `p` is McNemar's
    two-sided probability, None for macro-F1.
    """

    decision: str
    measure: str
    group: str
    n: int
    champion: float
    challenger: float
    difference: Estimate
    p: float | None

    @property
    def name(self) -> str:
        """What is compared, in one word."""
        return f"{self.decision} {self.measure} {self.group}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a challenger may take the champion's place, and why or why not, Chinese first."""

    promote: bool
    reasons: tuple[str, ...]


def compare(
    records: Sequence[LabelledMessage],
    champion: Sequence[Identification],
    challenger: Sequence[Identification],
    seed: int = 7,
) -> list[Comparison]:
    """Every figure of both models' answers to `records`: overall, per label, and per source.

    Raises ValueError when there is nothing to compare.
    """
    if not records or not len(records) == len(champion) == len(challenger):
        raise ValueError(
            f"{len(records)} records, {len(champion)} and {len(challenger)} answers; give as many of each"
        )
    rows: list[Comparison] = []
    for decision in DECISIONS:
        kept = [n for n, record in enumerate(records) if getattr(record, decision)]
        if kept:
            truth = [str(getattr(records[n], decision)) for n in kept]
            first = [str(getattr(champion[n], decision) or "-") for n in kept]
            second = [str(getattr(challenger[n], decision) or "-") for n in kept]
            sources = [records[n].message.source for n in kept]
            rows.extend(_of_decision(decision, truth, first, second, sources, seed))
    return rows


def _of_decision(
    decision: str,
    truth: list[str],
    first: list[str],
    second: list[str],
    sources: list[str | None],
    seed: int,
) -> Iterator[Comparison]:
    yield _macro_f1(decision, truth, first, second, seed)
    one = np.asarray([a == t for a, t in zip(first, truth, strict=True)])
    two = np.asarray([a == t for a, t in zip(second, truth, strict=True)])
    yield _accuracy(decision, OVERALL, one, two, seed)
    for group, of in (("", truth), ("source=", sources)):
        for label in sorted({label for label in of if label}):
            chosen = np.asarray([told == label for told in of])
            yield _accuracy(decision, f"{group}{label}", one[chosen], two[chosen], seed)


def _accuracy(
    decision: str, group: str, first: NDArray[np.bool_], second: NDArray[np.bool_], seed: int
) -> Comparison:
    n = len(first)
    won, lost = int((second & ~first).sum()), int((first & ~second).sum())
    draws = np.random.default_rng(seed).multinomial(
        n, [won / n, lost / n, 1 - (won + lost) / n], N_REPLICATES
    )
    low, high = np.percentile((draws[:, 0] - draws[:, 1]) / n, [2.5, 97.5])
    p = _mcnemar(won, lost)
    difference = Estimate((won - lost) / n, float(low), float(high))
    return Comparison(
        decision, "accuracy", group, n, float(first.mean()), float(second.mean()), difference, p
    )


def _mcnemar(won: int, lost: int) -> float:
    from scipy.stats import binomtest  # slow to import

    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def _macro_f1(decision: str, truth: list[str], first: list[str], second: list[str], seed: int) -> Comparison:
    names = sorted({*truth, *first, *second})
    number = {label: n for n, label in enumerate(names)}
    cells = np.asarray([[number[one] for one in told] for told in (truth, first, second)])
    joint, counts = np.unique(cells, axis=1, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(len(truth), counts / len(truth), N_REPLICATES)
    counted = np.isin(np.arange(len(names)), cells[0])

    def scores(given: NDArray[np.int64]) -> NDArray[np.float64]:
        confusion = np.zeros((N_REPLICATES + 1, len(names), len(names)), np.int64)
        for cell, column in enumerate(np.vstack([counts, draws]).T):
            confusion[:, joint[0, cell], given[cell]] += column
        means: NDArray[np.float64] = f1_scores(confusion)[:, counted].mean(axis=1)
        return means

    one, two = scores(joint[1]), scores(joint[2])
    low, high = np.percentile((two - one)[1:], [2.5, 97.5])
    difference = Estimate(float(two[0] - one[0]), float(low), float(high))
    return Comparison(
        decision, "macro_f1", OVERALL, len(truth), float(one[0]), float(two[0]), difference, None
    )


def losses(rows: Sequence[Comparison], margin: float) -> list[Comparison]:
    """Where the challenger loses more than `margin` (a share in 0–1), and not by luck."""
    sure = [row for row in rows if row.group == OVERALL and _surely_changed(row)]
    sure += _holm([row for row in rows if row.group != OVERALL])
    return [row for row in rows if row in sure and row.difference.value < -margin]


def judge(rows: Sequence[Comparison], margin: float) -> Verdict:
    """Whether the challenger is nowhere worse beyond `margin` (a share in 0–1), surely not overall, and somewhere better."""
    against = [
        f"{row.name}: 下降 {-row.difference.value:.3f}，超出容许的 {margin} · worse by more than {margin} (n={row.n})"
        for row in losses(rows, margin)
    ]
    main = rows[0]
    if main.difference.low < -margin and not against:
        against.append(
            f"{main.name}: 不能排除下降超过 {margin}（区间下限 {main.difference.low:+.3f}），请扩大测试集 · a loss of "
            f"more than {margin} cannot be ruled out; give a larger test set (n={main.n})"
        )
    gains = [row for row in rows if row.p is None and row.difference.low > 0]
    gains += [row for row in _holm([row for row in rows if row.p is not None]) if row.difference.value > 0]
    told = [f"{row.name}: 提高 {row.difference.value:.3f} · better (n={row.n})" for row in gains]
    if not told:
        against.append("没有一项有把握的提高 · nothing is better beyond luck")
    return Verdict(not against, tuple(against or told))


def _surely_changed(row: Comparison) -> bool:
    if row.p is not None:
        return row.p < _DOUBT
    return row.difference.high < 0 or row.difference.low > 0


def _holm(rows: Sequence[Comparison]) -> list[Comparison]:
    """The rows whose difference is no luck after Holm's correction over all of `rows`."""
    tested = sorted(rows, key=lambda row: row.p or 0.0)
    kept = []
    for place, row in enumerate(tested):
        if (row.p or 0.0) * (len(tested) - place) >= _DOUBT:
            break
        kept.append(row)
    return kept

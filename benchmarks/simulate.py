"""How often the 95% interval of an audit covers the true accuracy, over synthetic ledgers whose truth is known.

python -P benchmarks/simulate.py [--ledgers 1000]

Each ledger is a population of answers with domain, confidence, whether each is right, and residents' feedback that
comes much likelier where the answer is wrong. The audit is planned, drawn and estimated by the code `zhixu audit` and
`zhixu report` use. Beside its coverage stands that of Wilson's interval on the feedback, as if it were a fair sample.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.estimators import estimate_shares
from evaluation.metrics import wilson
from evaluation.sampling import allocate, draw, stratify

DOMAINS = tuple(f"domain{n}" for n in range(9))
BORDERS = (0.7, 0.9)


@dataclass(frozen=True)
class Design:
    """One kind of ledger and audit; rates are those at which a right and a wrong answer get feedback or an audit's answer."""

    name: str
    population: int = 5000
    half_width: float = 0.03
    minimum: int = 10
    accuracy: float = 0.89
    feedback_right: float = 0.03
    feedback_wrong: float = 0.30
    answered: float = 1.0
    weeks: int = 1
    overconfident: float = 0.0


DESIGNS = (
    Design("one week, feedback biased towards errors"),
    Design("feedback without bias", feedback_right=0.1, feedback_wrong=0.1),
    Design("feedback biased towards praise", feedback_right=0.3, feedback_wrong=0.03),
    Design("small audit, half width 0.06", half_width=0.06),
    Design("small population", population=800),
    Design("nearly flawless, accuracy 0.98", accuracy=0.98, half_width=0.015),
    Design("poor, accuracy 0.6", accuracy=0.6),
    Design("one audited case in five unanswered", answered=0.8),
    Design("four weekly audits together", weeks=4, population=2500, half_width=0.05),
    Design("confidence says too much by 0.1", overconfident=0.1),
)


@dataclass(frozen=True)
class Answers:
    """A population of answers, row by row."""

    domains: NDArray[np.str_]
    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    told: NDArray[np.bool_]


def populate(design: Design, rng: np.random.Generator) -> Answers:
    shares = rng.dirichlet(np.full(len(DOMAINS), 2.0))
    domains = rng.choice(len(DOMAINS), design.population, p=shares)
    ease = np.clip(design.accuracy + rng.normal(0, 0.04, len(DOMAINS)), 0.3, 0.995)[domains]
    chance = rng.beta(ease * 6, (1 - ease) * 6)
    right = rng.random(design.population) < chance
    confidence = np.clip(chance + design.overconfident, 0.0, 1.0)
    rate = np.where(right, design.feedback_right, design.feedback_wrong)
    told = rng.random(design.population) < rate
    return Answers(np.asarray(DOMAINS)[domains], confidence, right, told)


@dataclass(frozen=True)
class Audited:
    """The drawn cases of one or more audits, with what was found."""

    right: NDArray[np.bool_]
    domains: NDArray[np.str_]
    strata: NDArray[np.int64]
    sizes: NDArray[np.float64]


def audit(design: Design, answers: Answers, rng: np.random.Generator) -> Audited:
    codes, names = stratify(answers.domains.tolist(), answers.confidence, BORDERS)
    sizes = np.bincount(codes, minlength=len(names))
    expected = np.bincount(codes, answers.confidence, len(names)) / sizes
    cases = allocate(sizes, expected, design.half_width, design.minimum)
    rows = draw(codes, cases, int(rng.integers(2**31)))
    rows = rows[rng.random(len(rows)) < design.answered]
    return Audited(answers.right[rows], answers.domains[rows], codes[rows], sizes.astype(float))


def simulate(design: Design, n_ledgers: int, seed: int) -> Iterator[dict[str, float]]:
    """For each ledger: whether the intervals cover, the audit's error and half width, and how many were drawn."""
    rng = np.random.default_rng(seed)
    for _ in range(n_ledgers):
        weeks = [populate(design, rng) for _ in range(design.weeks)]
        audits = [audit(design, week, rng) for week in weeks]
        offsets = np.cumsum([0, *(len(one.sizes) for one in audits)])
        right = np.concatenate([one.right for one in audits])
        domains = np.concatenate([one.domains for one in audits])
        strata = np.concatenate([one.strata + start for one, start in zip(audits, offsets, strict=False)])
        sizes = np.concatenate([one.sizes for one in audits])
        everyone = np.concatenate([week.right for week in weeks])
        where = np.concatenate([week.domains for week in weeks])
        applies, whole = np.ones(len(right), bool), np.zeros(len(right), np.int64)
        total = estimate_shares(right, applies, whole, 1, strata, sizes)
        names, groups = np.unique(domains, return_inverse=True)
        parts = estimate_shares(right, applies, groups, len(names), strata, sizes)
        truths = np.asarray([everyone[where == name].mean() for name in names])
        told = np.concatenate([week.right[week.told] for week in weeks])
        naive = wilson(int(told.sum()), len(told))
        truth = everyone.mean()
        yield {
            "covers": float(total.low[0] <= truth <= total.high[0]),
            "domain_covers": float(((parts.low <= truths) & (truths <= parts.high)).mean()),
            "feedback_covers": float(naive.low <= truth <= naive.high),
            "error": float(total.value[0] - truth),
            "feedback_error": naive.value - float(truth),
            "half_width": float(total.high[0] - total.low[0]) / 2,
            "drawn": float(len(right)),
        }


def coverage(design: Design, n_ledgers: int, seed: int = 11) -> dict[str, float]:
    """Means over the ledgers of everything `simulate` tells."""
    found = list(simulate(design, n_ledgers, seed))
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ledgers", type=int, default=1000)
    given = parser.parse_args()
    print(f"{given.ledgers} ledgers a design; 'held' where 93-97% of the audits' intervals cover the truth")
    for design in DESIGNS:
        figures = coverage(design, given.ledgers)
        held = "held" if 0.93 <= figures["covers"] <= 0.97 else "NOT HELD"
        print(
            f"{design.name}: covers {figures['covers']:.3f} ({held}), per domain {figures['domain_covers']:.3f}, "
            f"bias {figures['error']:+.4f}, half width {figures['half_width']:.3f} of {design.half_width}, "
            f"{figures['drawn']:.0f} cases; feedback covers {figures['feedback_covers']:.3f}, "
            f"bias {figures['feedback_error']:+.3f}"
        )


if __name__ == "__main__":
    main()

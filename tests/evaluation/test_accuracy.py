from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from evaluation.accuracy import DIMENSIONS, Books, trail
from evaluation.audits import AuditError, draw_audit
from evaluation.cases import MEASURES
from evaluation.labels import GivenLabel, record_labels
from evaluation.outcomes import GivenOutcome, record_outcomes
from evaluation.periods import Period
from evaluation.tables import AuditCase, Prediction

FIRST = date(2026, 9, 7)


def week(number: int) -> Period:
    return Period.of_days(FIRST + timedelta(weeks=number), FIRST + timedelta(weeks=number, days=6))


def settle(town, drawn, skip: int = 0) -> None:
    """Write the truth of an audit's cases, all but the first few."""
    by_id = {row["id"]: row for row in town.rows}
    labels = [
        GivenLabel("", town.truth[key], "settled", "audit", (), by_id[key]["tier"], "routine", key)
        for key in drawn.prediction_ids[skip:]
    ]
    record_labels(town.ledger, labels)


@pytest.fixture
def audited(found_town: Callable):
    town = found_town()
    for number in range(3):
        settle(town, draw_audit(town.ledger, week(number), half_width=0.05, actor="li", seed=number))
    return town


def test_the_audit_knows_better_than_biased_feedback(audited) -> None:
    books = Books.open(audited.ledger, Period())
    figure = books.figure("domain")
    truth = np.mean([audited.truth[row["id"]] == row["domain"] for row in audited.rows])
    assert figure.audited.low <= truth <= figure.audited.high
    assert figure.told.high < truth
    assert figure.population == pytest.approx(len(audited.rows))


def test_every_figure_follows_from_its_trail(audited) -> None:
    books = Books.open(audited.ledger, Period())
    figures = books.figures()
    assert {figure.measure for figure in figures} >= set(MEASURES[:4])
    assert {figure.dimension for figure in figures} == {"all", *DIMENSIONS}
    for figure in figures:
        rows = trail(books, figure.measure, figure.dimension, figure.key)
        drawn = [row for row in rows if row["kind"] == "audit"]
        told = [row for row in rows if row["kind"] == "told"]
        assert (len(drawn), len(told)) == (figure.n_audited, figure.n_told)
        if drawn:
            weights = [row["weight"] for row in drawn]
            mean = np.average([row["right"] for row in drawn], weights=weights)
            assert figure.audited.value == pytest.approx(mean)
        if told:
            assert figure.told.value == pytest.approx(np.mean([row["right"] for row in told]))


def test_the_trail_names_the_versions_that_answered(audited) -> None:
    rows = trail(Books.open(audited.ledger, Period()), "domain", "model", "model-b")
    assert {(row["model"], row["catalogue"]) for row in rows} == {("model-b", "catalogue-1")}
    with audited.ledger.engine.connect() as connection:
        known = set(connection.execute(select(Prediction.id)).scalars())
    assert {row["prediction_id"] for row in rows} <= known


def test_cases_outside_the_period_count_as_drawn_but_not_as_found(audited) -> None:
    part = Period.of_days(FIRST, FIRST + timedelta(days=2))
    figure = Books.open(audited.ledger, part).figure("domain")
    inside = [row for row in audited.rows if row["answered_at"] < part.end]
    truth = np.mean([audited.truth[row["id"]] == row["domain"] for row in inside])
    assert figure.audited.low <= truth <= figure.audited.high
    assert figure.population == pytest.approx(len(inside), rel=0.35)


def test_unjudged_cases_leave_their_weight_to_their_stratum(found_town: Callable) -> None:
    town = found_town()
    drawn = draw_audit(town.ledger, week(0), half_width=0.05, actor="li", seed=1)
    settle(town, drawn, skip=10)
    figure = Books.open(town.ledger, Period()).figure("domain")
    assert figure.n_audited == len(drawn.prediction_ids) - 10
    population = sum(row["answered_at"] < week(0).end for row in town.rows)
    assert figure.population == pytest.approx(population)


def test_a_prediction_is_drawn_from_once(audited) -> None:
    with pytest.raises(AuditError, match="audit-20260907"):
        draw_audit(audited.ledger, Period.of_days(FIRST, FIRST), half_width=0.05, actor="li")


def test_each_cases_chance_is_its_stratums_share(audited) -> None:
    with audited.ledger.engine.connect() as connection:
        cases = connection.execute(select(AuditCase)).all()
    by_stratum: dict[tuple[str, str], list[float]] = {}
    for case in cases:
        by_stratum.setdefault((case.audit, case.stratum), []).append(case.probability)
    sizes = [len(chances) / chances[0] for chances in by_stratum.values()]
    assert all(len(set(chances)) == 1 for chances in by_stratum.values())
    assert sum(sizes) == pytest.approx(len(audited.rows))


def test_match_accuracy_of_audits_stands_apart_from_what_desks_tell(found_town: Callable) -> None:
    town = found_town()
    drawn = draw_audit(town.ledger, week(0), half_width=0.05, actor="li", seed=1)
    before = Books.open(town.ledger, Period()).figure("match_accepted")
    assert before.audited is None
    assert before.n_told > 0
    offered = [key for key in drawn.prediction_ids if _offered(town, key)]
    record_outcomes(town.ledger, [GivenOutcome(f"m{key[1:]}", "declined", "audit:li") for key in offered])
    after = Books.open(town.ledger, Period()).figure("match_accepted")
    assert (after.audited.value, after.n_audited) == (0.0, len(offered))
    assert after.told == before.told


def _offered(town, key: str) -> bool:
    from evaluation.tables import ProposedMatch

    with town.ledger.engine.connect() as connection:
        query = select(ProposedMatch.id).where(ProposedMatch.prediction_id == key)
        return connection.execute(query).first() is not None


def test_a_met_need_stays_accepted_when_acceptance_is_told_late(found_town: Callable) -> None:
    town = found_town(n=300)
    key = next(row["id"] for row in town.rows if _offered(town, row["id"]))
    match = f"m{key[1:]}"
    for kind in ("met", "accepted"):
        record_outcomes(town.ledger, [GivenOutcome(match, kind, "desk")])
    rows = trail(Books.open(town.ledger, Period()), "match_met")
    assert next(row for row in rows if row["prediction_id"] == key)["right"] == 1


def test_an_empty_ledger_has_no_figures(found_town: Callable, tmp_path) -> None:
    from evaluation.ledger import Ledger

    ledger = Ledger(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    books = Books.open(ledger, Period())
    assert books.figures() == []
    with pytest.raises(LookupError, match="audit"):
        books.figure("domain")
    ledger.close()

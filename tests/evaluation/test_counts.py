from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import delete, select, update

from evaluation.book_tables import WeeklyCount
from evaluation.counts import count_now, fresh_counts, read_counts, refresh_counts
from evaluation.need_map import AXES, cross, need_map, needs_only
from evaluation.periods import Period, week_of
from evaluation.response_times import response_times
from evaluation.tables import Label, Outcome, Prediction, ProposedMatch
from nlp.taxonomy import Taxonomy

NONE = Taxonomy.load().none_id


def by_hand(town) -> Counter:
    zone = Period().zone
    return Counter(
        (row["source"], row["domain"], row["tier"] or "", row["district"],
         str(week_of(row["answered_at"].astimezone(zone).date())))
        for row in town.rows
    )  # fmt: skip


def test_the_counts_are_those_of_the_rows(found_town: Callable) -> None:
    town = found_town()
    counts = fresh_counts(town.ledger, Period())
    assert Counter(counts.by(*AXES)) == by_hand(town)
    assert int(counts.reviews.sum()) == sum(row["review"] for row in town.rows)
    assert Counter(count_now(town.ledger, Period()).by(*AXES)) == by_hand(town)


def test_only_changed_weeks_are_counted_again(found_town: Callable) -> None:
    town = found_town(n=400)
    assert refresh_counts(town.ledger) == 3
    assert refresh_counts(town.ledger) == 0
    last = max(town.rows, key=lambda row: row["answered_at"])
    with town.ledger.engine.begin() as connection:
        connection.execute(delete(Prediction).where(Prediction.id == last["id"]))
    assert refresh_counts(town.ledger) == 1
    assert read_counts(town.ledger, Period()).total == 399
    with town.ledger.engine.begin() as connection:
        connection.execute(delete(Prediction))
    refresh_counts(town.ledger)
    assert read_counts(town.ledger, Period()).total == 0


def test_another_local_time_counts_everything_again(found_town: Callable) -> None:
    town = found_town(n=400)
    refresh_counts(town.ledger)
    utc = fresh_counts(town.ledger, Period(offset_minutes=0))
    weeks = Counter(str(week_of(row["answered_at"].date())) for row in town.rows)
    assert {week: n for (week,), n in utc.by("week").items()} == dict(weeks)


def test_a_part_of_a_week_is_counted_on_the_spot(found_town: Callable) -> None:
    town = found_town(n=400)
    part = Period.of_days(date(2026, 9, 8), date(2026, 9, 16))
    inside = [row for row in town.rows if part.start <= row["answered_at"] < part.end]
    assert fresh_counts(town.ledger, part).total == len(inside)
    with town.ledger.engine.connect() as connection:
        assert connection.execute(select(WeeklyCount)).first() is None


def test_the_map_holds_every_need_once(found_town: Callable) -> None:
    town = found_town()
    counts = needs_only(fresh_counts(town.ledger, Period()), NONE)
    cells = need_map(counts)
    expected = {cell: n for cell, n in by_hand(town).items() if cell[1] != NONE}
    assert {tuple(getattr(cell, axis) for axis in AXES): cell.needs for cell in cells} == expected
    rows, columns, table = cross(counts, "district", "domain")
    assert len(rows) == 3
    assert NONE not in columns
    assert sum(map(sum, table)) == sum(expected.values())


def test_response_times_are_those_of_the_first_word(found_town: Callable) -> None:
    town = found_town(n=500)
    as_of = max(row["answered_at"] for row in town.rows) + timedelta(days=1)
    first: dict[str, object] = {}
    with town.ledger.session() as session:
        told = (
            session.execute(
                select(ProposedMatch.prediction_id, Outcome.told_at).join(
                    Outcome, Outcome.match_id == ProposedMatch.id
                )
            ).all()
            + session.execute(select(Label.prediction_id, Label.labelled_at)).all()
        )
    for key, moment in told:
        first[key] = min(first.get(key, moment), moment)
    found = {(one.tier, one.urgency): one for one in response_times(town.ledger, Period(), as_of)}
    for kind, one in found.items():
        mine = [row for row in town.rows if (row["tier"] or "", row["urgency"]) == kind]
        answered = [row for row in mine if row["id"] in first]
        kept = sum(first[row["id"]] <= row["due_at"] for row in answered)
        silent = sum(row["id"] not in first and row["due_at"] < as_of for row in mine)
        assert (one.answered, one.due) == (len(answered), len(answered) + silent)
        assert one.pending == len(mine) - one.due
        if one.due:
            assert one.in_time.value == pytest.approx(kept / one.due)
        if answered:
            hours = sorted((first[row["id"]] - row["received_at"]).total_seconds() for row in answered)
            assert hours[0] - 0.01 <= one.median <= hours[-1] + 0.01
            if len(hours) % 2:
                assert one.median == pytest.approx(hours[len(hours) // 2], abs=0.01)
    assert sum(one.answered + one.pending for one in found.values()) <= len(town.rows)


def test_times_given_in_another_zone_are_kept_in_utc(found_town: Callable) -> None:
    town = found_town(n=60)
    local = town.rows[0]["answered_at"].astimezone(Period().zone)
    with town.ledger.engine.begin() as connection:
        connection.execute(update(Prediction).where(Prediction.id == town.rows[0]["id"]).values(due_at=local))
        row = connection.execute(select(Prediction).where(Prediction.id == town.rows[0]["id"])).one()
    assert row.due_at == row.answered_at

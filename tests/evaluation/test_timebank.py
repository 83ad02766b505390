"""Laws of the time bank: never below zero, never twice, whoever else is writing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from evaluation.gaps import gaps, idle_resources
from evaluation.ledger import Ledger
from evaluation.outcomes import UnknownMatchError
from evaluation.timebank import (
    AlreadyBookedError,
    NotEnoughHoursError,
    balances_agree,
    book_match,
    deposit_hours,
    minutes_left,
)
from matching.records import Match, Matching, Resource
from models.records import Identification, Need
from nlp.records import PreparedMessage


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    book = Ledger(url)
    yield book
    book.close()


def answered(message_id: str, district: str | None = "南桥区", domain: str = "housing") -> Identification:
    prepared = PreparedMessage(message_id, "停水两天了", "hotline", district, (), ())
    need = Need(domain, "basic", 0.9, "停水两天了", ())
    return Identification(prepared, domain, 0.9, "basic", "routine", False, (need,), (), "m", "t")


def matches(ledger: Ledger, count: int) -> list[str]:
    matching = Matching((Match("R1", "陪诊", 0.9, ()),), "c")
    recorded = ledger.record([answered(str(n)) for n in range(count)], [matching] * count)
    return [one.match_ids[0] for one in recorded]


def test_a_confirmed_match_spends_and_credits_once(ledger: Ledger) -> None:
    (match_id,) = matches(ledger, 1)
    deposit_hours(ledger, "R1", 120, "desk")
    book_match(ledger, match_id, "R1", "volunteer", 90, "desk")
    assert (minutes_left(ledger, "R1"), minutes_left(ledger, "volunteer")) == (30, 90)
    for minutes in (20, 90):
        with pytest.raises(AlreadyBookedError):
            book_match(ledger, match_id, "R1", "volunteer", minutes, "desk")
    assert (minutes_left(ledger, "R1"), minutes_left(ledger, "volunteer")) == (30, 90)
    assert balances_agree(ledger)


def test_nothing_is_spent_that_is_not_there(ledger: Ledger) -> None:
    (match_id,) = matches(ledger, 1)
    deposit_hours(ledger, "R1", 60, "desk")
    with pytest.raises(NotEnoughHoursError):
        book_match(ledger, match_id, "R1", "volunteer", 61, "desk")
    with pytest.raises(UnknownMatchError):
        book_match(ledger, "no such match", "R1", "volunteer", 30, "desk")
    for minutes, payee in ((0, "volunteer"), (-5, "volunteer"), (5, "R1"), (5, "")):
        with pytest.raises(ValueError, match=r"minutes|account"):
            book_match(ledger, match_id, "R1", payee, minutes, "desk")
    assert (minutes_left(ledger, "R1"), minutes_left(ledger, "volunteer")) == (60, 0)
    assert balances_agree(ledger)


def test_many_writers_never_overspend_and_never_book_twice(ledger: Ledger) -> None:
    ids = matches(ledger, 12)
    deposit_hours(ledger, "R1", 300, "desk")

    def book(match_id: str) -> str:
        try:
            book_match(ledger, match_id, "R1", "volunteer", 60, "desk")
        except (NotEnoughHoursError, AlreadyBookedError) as error:
            return type(error).__name__
        return "booked"

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(book, ids * 2))
    assert told.count("booked") == 5
    assert (minutes_left(ledger, "R1"), minutes_left(ledger, "volunteer")) == (0, 300)
    assert balances_agree(ledger)


def test_hours_go_back_and_forth_without_a_deadlock(ledger: Ledger) -> None:
    ids = matches(ledger, 20)
    for account in ("甲", "乙"):
        deposit_hours(ledger, account, 1000, "desk")

    def book(n: int) -> None:
        payer, payee = ("甲", "乙") if n % 2 else ("乙", "甲")
        book_match(ledger, ids[n], payer, payee, 10, "desk")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(book, range(20)))
    assert minutes_left(ledger, "甲") == minutes_left(ledger, "乙") == 1000
    assert balances_agree(ledger)


def test_gaps_count_what_found_nothing_and_idle_what_nobody_needed(ledger: Ledger) -> None:
    nothing = Matching((), "c")
    found = Matching((Match("R1", "陪诊", 0.9, ()),), "c")
    ledger.record([answered("1"), answered("2"), answered("3")], [nothing, nothing, found])
    ledger.record([answered("4", None, "education"), answered("5")], [nothing, found])
    ledger.record([answered("6")])
    told = [(gap.domain, gap.tier, gap.district, gap.n_needs, gap.n_unmet) for gap in gaps(ledger)]
    assert told == [("housing", "basic", "南桥区", 4, 2), ("education", "basic", None, 1, 1)]
    assert gaps(ledger, datetime.now(UTC) + timedelta(hours=1)) == []
    resources = {
        name: Resource(name, "名", "组织", "", "material", ("housing",), status=status)
        for name, status in (("R1", "active"), ("R2", "active"), ("R3", "inactive"))
    }
    assert [one.resource_id for one in idle_resources(ledger, resources)] == ["R2"]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert [one.resource_id for one in idle_resources(ledger, resources, later)] == ["R1", "R2"]

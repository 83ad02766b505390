from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select

from evaluation.ledger import Ledger
from evaluation.tables import Base, PredictedNeed, Prediction, ProposedMatch
from matching.records import Match, Matching
from models.records import Identification, Need
from nlp.records import PreparedMessage


def identification(message_id: str, words: str = "停水两天了") -> Identification:
    prepared = PreparedMessage(message_id, words, "hotline", None, (), ())
    need = Need("housing", "basic", 0.9, words, ())
    return Identification(
        prepared=prepared,
        domain="housing",
        confidence=0.9,
        tier="basic",
        urgency="urgent",
        review=False,
        needs=(need,),
        evidence=(),
        model="m",
        taxonomy="t",
    )


def test_what_was_recorded_is_there_after_reopening(url: str) -> None:
    first = Ledger(url)
    recorded = first.record([identification("a"), identification("b", "断电\0了")])
    first.close()
    again = Ledger(url)
    with again.engine.connect() as connection:
        rows = {row.id: row for row in connection.execute(select(Prediction))}
    again.close()
    assert set(rows) == {one.prediction_id for one in recorded}
    assert {row.message_id for row in rows.values()} == {"a", "b"}
    assert all("\0" not in row.text for row in rows.values())


def test_migrations_give_the_tables_the_code_expects(url: str) -> None:
    ledger = Ledger(url)
    with ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    ledger.close()


def test_several_processes_may_open_a_new_ledger_at_once(url: str) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True)
    with ThreadPoolExecutor(4) as pool:
        ledgers = list(pool.map(lambda _: Ledger(url), range(4)))
    for number, ledger in enumerate(ledgers):
        ledger.record([identification(str(number))])
    assert ledgers[0].count() == 4
    for ledger in ledgers:
        ledger.close()


def test_needs_and_matches_stand_in_rows_of_their_own(url: str) -> None:
    ledger = Ledger(url)
    matching = Matching((Match("R1", "送水", 0.9, ("同区",)), Match("R2", "抢修", 0.8, ())), "c")
    recorded = ledger.record([identification("a")], [matching])
    with ledger.engine.connect() as connection:
        needs = connection.execute(select(PredictedNeed)).all()
        matches = connection.execute(select(ProposedMatch).order_by(ProposedMatch.rank)).all()
    ledger.close()
    assert [(need.prediction_id, need.position, need.domain) for need in needs] == [
        (recorded[0].prediction_id, 0, "housing")
    ]
    assert tuple(match.id for match in matches) == recorded[0].match_ids
    assert [(match.rank, match.resource_id, match.reasons) for match in matches] == [
        (1, "R1", ["同区"]),
        (2, "R2", []),
    ]


def test_migrations_go_down_and_up_without_losing_predictions_needs_or_matches(url: str) -> None:
    ledger = Ledger(url)
    ledger.record([identification("a")], [Matching((Match("R1", "送水", 0.9, ("同区",)),), "c")])
    ledger.migrate("0001")
    ledger.migrate("head")
    with ledger.engine.connect() as connection:
        assert connection.execute(select(Prediction.message_id)).scalars().all() == ["a"]
        assert connection.execute(select(PredictedNeed.text)).scalars().all() == ["停水两天了"]
        assert connection.execute(select(ProposedMatch.reasons)).scalars().all() == [["同区"]]
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    ledger.close()

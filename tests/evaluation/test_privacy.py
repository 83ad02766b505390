from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from evaluation.labels import GivenLabel, record_labels
from evaluation.ledger import Ledger, Origin
from evaluation.outcomes import GivenOutcome, record_outcomes
from evaluation.privacy import Pseudonyms, delete_resident, export_resident, retain
from evaluation.tables import Access, Label, Outcome, PredictedNeed, Prediction, ProposedMatch
from matching.records import Match, Matching
from models.records import Identification, Need
from nlp.records import PreparedMessage

WORDS = "幸福里停水两天"


def answered(message_id: str, source: str = "hotline", text: str = WORDS) -> Identification:
    prepared = PreparedMessage(message_id, text, source, None, (), ())
    need = Need("n", "t", 0.9, text, ())
    return Identification(prepared, "n", 0.9, "t", "u", False, (need,), (), "m", "t")


def rows(ledger: Ledger, table: type) -> int:
    with ledger.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


def test_one_residents_records_are_exported_deleted_and_both_are_noted(
    ledger: Ledger, tmp_path: Path
) -> None:
    matching = Matching((Match("R1", "送水", 0.9, ("同区",)),), "c")
    [mine] = ledger.record([answered("a")], [matching], [Origin("r1")])
    ledger.record([answered("b", text="别人的事")], [matching], [Origin("r2")])
    record_labels(ledger, [GivenLabel("", "n", "x", "feedback", prediction_id=mine.prediction_id)])
    record_outcomes(ledger, [GivenOutcome(mine.match_ids[0], "met", "x")])
    [record] = export_resident(ledger, "r1", "clerk")
    assert (record["text"], record["labels"][0]["domain"]) == (WORDS, "n")
    assert record["matches"][0]["outcomes"][0]["kind"] == "met"
    assert "resident" not in record
    assert delete_resident(ledger, "r1", "clerk") == 1
    assert export_resident(ledger, "r1", "clerk") == []
    counts = [rows(ledger, t) for t in (Prediction, PredictedNeed, ProposedMatch, Label, Outcome)]
    assert counts == [1, 1, 1, 0, 0]
    with ledger.session() as session:
        notes = session.scalars(select(Access).order_by(Access.id)).all()
    assert [(n.action, n.subject, n.n_records) for n in notes] == [
        ("export", "r1", 1),
        ("delete", "r1", 1),
        ("export", "r1", 0),
    ]
    ledger.close()
    for path in tmp_path.iterdir():
        assert WORDS.encode() not in path.read_bytes(), path


def test_only_what_is_older_and_of_the_source_is_deleted(ledger: Ledger) -> None:
    ledger.record([answered("old"), answered("old wechat", "wechat"), answered("new")])
    past = datetime.now(UTC) - timedelta(days=400)
    with ledger.engine.begin() as connection:
        old = update(Prediction).where(Prediction.message_id.like("old%"))
        connection.execute(old.values(answered_at=past))
    assert retain(ledger, timedelta(days=365), "clerk", "wechat") == 1
    assert retain(ledger, timedelta(days=365), "clerk") == 1
    assert retain(ledger, timedelta(days=365), "clerk") == 0
    with ledger.session() as session:
        assert session.scalars(select(Prediction.message_id)).all() == ["new"]
        assert session.scalars(select(Access.n_records).order_by(Access.id)).all() == [1, 1, 0]


def test_the_secret_is_made_once_readable_by_its_owner_alone_and_decides_the_hash(tmp_path: Path) -> None:
    first = Pseudonyms.load(tmp_path / "a" / "key")
    assert (tmp_path / "a" / "key").stat().st_mode & 0o077 == 0
    assert first.of("resident", "x") == Pseudonyms.load(tmp_path / "a" / "key").of("resident", "x")
    assert first.of("resident", "x") != Pseudonyms.load(tmp_path / "b").of("resident", "x")
    assert first.of("a", "bc") != first.of("ab", "c")
    (tmp_path / "short").write_text("short")
    with pytest.raises(ValueError, match="32"):
        Pseudonyms.load(tmp_path / "short")

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evaluation.activations import activations, answering, record_activation
from evaluation.labels import GivenLabel, UnknownPredictionError, newest_labels, record_labels
from evaluation.ledger import Ledger
from evaluation.outcomes import GivenOutcome, UnknownMatchError, record_outcomes
from matching.records import Match, Matching
from models.records import Identification, Need
from nlp.records import PreparedMessage


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


def answered(message_id: str) -> Identification:
    prepared = PreparedMessage(message_id, "停水两天了", "hotline", "南桥区", (), ())
    needs = (Need("housing", "basic", 0.9, prepared.text, ()),)
    return Identification(prepared, "housing", 0.9, "basic", "urgent", False, needs, (), "m", "t")


def test_a_label_takes_its_text_from_the_prediction(ledger: Ledger) -> None:
    key = ledger.record([answered("a")])[0].prediction_id
    record_labels(ledger, [GivenLabel("?", "environment", "li", "feedback", prediction_id=key)])
    row = next(newest_labels(ledger))
    assert (row["id"], row["text"], row["district"], row["domain"]) == (
        key, "停水两天了", "南桥区", "environment",
    )  # fmt: skip


def test_the_newest_label_of_a_message_counts(ledger: Ledger) -> None:
    for domain in ("environment", "housing"):
        record_labels(ledger, [GivenLabel("x", domain, "li", "import", text="停水")])
    record_labels(ledger, [GivenLabel("y", "transport", "li", "audit", text="修路")])
    assert [(row["id"], row["domain"]) for row in newest_labels(ledger)] == [
        ("x", "housing"), ("y", "transport"),
    ]  # fmt: skip
    assert [row["id"] for row in newest_labels(ledger, origins=["audit"])] == ["y"]
    assert not list(newest_labels(ledger, since=datetime.now(UTC) + timedelta(hours=1)))


def test_one_unknown_prediction_keeps_the_whole_lot_out(ledger: Ledger) -> None:
    lot = [
        GivenLabel("x", "housing", "li", "import", text="停水"),
        GivenLabel("y", "housing", "li", "feedback", prediction_id="gone"),
    ]
    with pytest.raises(UnknownPredictionError, match="gone"):
        record_labels(ledger, lot)
    assert not list(newest_labels(ledger))


def test_outcomes_hang_on_matches_the_ledger_holds(ledger: Ledger) -> None:
    recorded = ledger.record([answered("a")], [Matching((Match("R1", "送水", 0.9, ()),), "c")])
    assert record_outcomes(ledger, [GivenOutcome(recorded[0].match_ids[0], "accepted", "desk")])
    with pytest.raises(UnknownMatchError, match="gone"):
        record_outcomes(ledger, [GivenOutcome("gone", "met", "desk")])
    with pytest.raises(ValueError, match="perhaps"):
        record_outcomes(ledger, [GivenOutcome(recorded[0].match_ids[0], "perhaps", "desk")])


def test_the_log_tells_which_version_answered_when(ledger: Ledger) -> None:
    before = datetime.now(UTC)
    record_activation(ledger, "champion", "v1", "li", "first")
    between = datetime.now(UTC)
    record_activation(ledger, "champion", "v2", "li", "better", forced=True)
    log = activations(ledger, "champion")
    assert [(one.version, one.previous, one.forced) for one in log] == [
        ("v1", None, False), ("v2", "v1", True),
    ]  # fmt: skip
    assert answering(ledger, "champion", before) is None
    assert answering(ledger, "champion", between) == "v1"
    assert answering(ledger, "champion", datetime.now(UTC)) == "v2"

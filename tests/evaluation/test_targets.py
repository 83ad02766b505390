import logging
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from evaluation.accuracy import Books
from evaluation.audits import draw_audit
from evaluation.labels import GivenLabel, record_labels
from evaluation.periods import Period
from evaluation.targets import Target, check_targets, raise_alerts, write_metrics


@pytest.fixture
def books(found_town: Callable) -> Books:
    town = found_town()
    period = Period(
        min(row["answered_at"] for row in town.rows), max(row["answered_at"] for row in town.rows)
    )
    drawn = draw_audit(town.ledger, period, half_width=0.03, actor="li", seed=2)
    record_labels(
        town.ledger,
        [GivenLabel("", town.truth[key], "s", "audit", prediction_id=key) for key in drawn.prediction_ids],
    )
    return Books.open(town.ledger, Period())


def test_a_target_is_held_open_or_missed_by_its_interval(books: Books) -> None:
    value = books.figure("domain").audited
    lines = {"held": value.low - 0.01, "open": value.value, "missed": value.high + 0.01}
    for standing, line in lines.items():
        assert check_targets(books, [Target("domain", line)])[0].standing == standing
    assert check_targets(books, [Target("match_met")])[0].standing == "unknown"
    with pytest.raises(ValueError, match="share"):
        Target("domain", 89)


def test_a_missed_target_is_logged_posted_and_measured(books: Books, caplog, tmp_path: Path) -> None:
    posted: list[bytes] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        alerts = check_targets(books, [Target("domain", 0.99), Target("tier", 0.01)])
        missed = raise_alerts(alerts, f"http://127.0.0.1:{server.server_port}/")
        thread.join()
    assert [alert.target.measure for alert in missed] == ["domain"]
    assert b'"target":0.99' in posted[0]
    assert "0.99" in caplog.text
    write_metrics(tmp_path / "books.prom", alerts)
    lines = (tmp_path / "books.prom").read_text().splitlines()
    assert 'zhixu_accuracy_missed{measure="domain"} 1.0' in lines
    assert 'zhixu_accuracy_missed{measure="tier"} 0.0' in lines


def test_a_webhook_out_of_reach_stops_nothing(books: Books, caplog) -> None:
    with caplog.at_level(logging.ERROR):
        raise_alerts(check_targets(books, [Target("domain", 0.99)]), "http://127.0.0.1:9/")
    assert "webhook" in caplog.text

"""The real process: it stops without cutting anyone off, and survives being killed."""

import http.client
import json
import signal
import threading
import time
from pathlib import Path

import pytest

from benchmarks.kill import findings, free_port, start, torment

pytestmark = pytest.mark.slow
BODY = json.dumps({"text": "停水两天了没人管"}).encode()


def post(line: http.client.HTTPConnection) -> tuple[int, bool]:
    line.request("POST", "/v1/classify", BODY, {"Content-Type": "application/json"})
    answer = line.getresponse()
    answer.read()
    return answer.status, answer.will_close


def test_on_sigterm_it_drains_and_cuts_nobody_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIXU_DRAIN_SECONDS", "1")
    port = free_port()
    service = start(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path, port)
    statuses: list[int] = []
    cut: list[str] = []
    ready: list[int] = []

    def ask() -> None:
        while True:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                line.connect()
            except OSError:
                return  # nobody listens any more: that is how it should end
            try:
                closing = False
                while not closing:
                    status, closing = post(line)
                    statuses.append(status)
            except (OSError, http.client.HTTPException) as error:
                cut.append(type(error).__name__)
                return
            finally:
                line.close()

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    while len(statuses) < 20:
        assert service.poll() is None
    service.send_signal(signal.SIGTERM)
    began = time.monotonic()
    while not ready or ready[-1] != 503:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        line.request("GET", "/readyz")
        ready.append(line.getresponse().status)
        line.close()
    assert service.wait(20) == 0
    assert time.monotonic() - began < 15
    for thread in asking:
        thread.join(20)
    assert set(statuses) == {200}
    assert cut == []


def test_what_was_acknowledged_survives_ten_kills(url: str, tmp_path: Path) -> None:
    books, kills = torment(url, tmp_path, moments=10 if url.startswith("sqlite") else 5, seed=3)
    assert kills >= 5
    assert sum(len(book.predictions) for book in books) > 20
    assert not any(findings(url, books).values())

"""Bad days: no room on the disk, a database that is gone, bodies without end, errors nobody expected."""

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.engine import make_url

from serving.log import JsonFormatter

BODY = {"text": "停水两天了没人管"}
SECRET = "青石巷口路灯"


def counted(client: TestClient) -> int:
    return client.app.state.service.ledger.count()  # type: ignore[attr-defined]


def test_a_full_disk_is_a_clear_503_and_writes_nothing_until_there_is_room(client: TestClient) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    client.post("/v1/classify", json=BODY)

    def limit(pages: int) -> None:
        def set_limit() -> None:
            with service.ledger.engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

        service.answering._recording._worker.submit(set_limit).result()

    limit(1)  # SQLite keeps the pages it has and takes no more
    batch = {"messages": [{"text": "停水" * 5000}] * 20}
    refused = client.post("/v1/classify/batch", json=batch)
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert refused.json()["type"].endswith("ledger-unavailable")
    assert counted(client) == 1
    limit(1_000_000)
    assert client.post("/v1/classify/batch", json=batch).status_code == 200
    assert counted(client) == 21


class Line:
    """A TCP line to a server that can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._pairs: list[socket.socket] = []
        self.up = True
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            if not self.up:
                near.close()
                continue
            far = socket.create_connection(self._target)
            self._pairs += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        finally:
            other.close()

    def cut(self) -> None:
        self.up = False
        for end in self._pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._pairs.clear()

    def close(self) -> None:
        self.cut()
        self._door.close()


@pytest.fixture
def line(url: str) -> Iterator[tuple[Line, str]]:
    parsed = make_url(url)
    line = Line(parsed.host or "127.0.0.1", parsed.port or 5432)
    moved = parsed.set(host="127.0.0.1", port=line.port)
    yield line, moved.render_as_string(hide_password=False)
    line.close()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_database_that_is_gone_is_a_503_and_back_without_a_restart(
    line: tuple[Line, str], make_app: Any
) -> None:
    wire, url = line
    with TestClient(make_app(url)) as client:
        assert client.post("/v1/classify", json=BODY).status_code == 200
        wire.cut()
        for path, body in (("/v1/classify", BODY), ("/v1/feedback", {"message_id": "1", "domain": "none"})):
            assert client.post(path, json=body).status_code == 503
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        wire.up = True
        assert client.post("/v1/classify", json=BODY).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert counted(client) == 2


def test_a_body_without_a_stated_length_is_counted_as_it_arrives(make_app: Any) -> None:
    with TestClient(make_app(max_body=1000)) as client:
        read = []

        def endless() -> Iterator[bytes]:
            for number in range(100):
                read.append(number)
                yield b"x" * 300

        headers = {"Content-Type": "application/json"}
        assert client.post("/v1/classify", content=endless(), headers=headers).status_code == 413
        assert client.post("/v1/classify", content=b"x" * 1001, headers=headers).status_code == 413
        for length in ("-1", "1e3", "9" * 30):
            answer = client.post("/v1/classify", content=b"", headers=headers | {"Content-Length": length})
            assert answer.status_code == 413


def test_an_error_nobody_expected_is_told_by_place_and_never_by_what_was_sent(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]

    def fail(messages: Any) -> None:
        raise ArithmeticError(f"cannot read {messages}")

    caplog.set_level(logging.INFO, "zhixu")
    monkeypatch.setattr(service.swap.engine.identifier, "identify", fail)
    response = client.post("/v1/classify", json={"text": SECRET}, headers={"X-Request-ID": "r-1"})
    assert (response.status_code, response.json()["type"].split("/")[-1]) == (500, "unexpected")
    told = [JsonFormatter().format(record) for record in caplog.records]
    assert any(json.loads(line).get("request_id") == "r-1" for line in told)
    assert any("ArithmeticError" in line and "serving/answering.py" in line for line in told)
    assert not [line for line in [*told, response.text] if SECRET in line]
    monkeypatch.undo()
    assert client.post("/v1/classify", json=BODY).status_code == 200


def test_one_bad_message_does_not_fail_those_it_was_read_with() -> None:
    import asyncio

    from serving.batching import Batcher

    async def ask() -> list[object]:
        batcher: Batcher[int, float] = Batcher(lambda items: [1 / item for item in items], 8, 100)
        found = await asyncio.gather(*batcher.put([1, 0, 4]), return_exceptions=True)
        batcher.close()
        return list(found)

    first, second, third = asyncio.run(ask())
    assert (first, third) == (1.0, 0.25)
    assert isinstance(second, ZeroDivisionError)


def test_a_service_without_a_ledger_answers_and_refuses_what_needs_one(
    identifier: Any, catalogue: Any, tmp_path: Any
) -> None:
    from matching.matcher import Matcher
    from serving.app import create_app
    from serving.settings import Settings

    settings = Settings(ledger="none", secret=tmp_path / "s")
    with TestClient(create_app(settings, identifier, Matcher(identifier, catalogue), None)) as client:
        assert client.post("/v1/classify", json=BODY).status_code == 200
        for answer in (client.get("/v1/accuracy"), client.post("/v1/jobs?format=csv", content=b"x")):
            assert answer.status_code == 501

"""Killed at random moments under load: what was acknowledged is there after the restart, and nothing twice.

python -P benchmarks/kill.py [--ledger URL] [--moments 200] [--seed 7]

Clients post messages, labels and outcomes; the service is killed (SIGKILL) at a random moment and started again;
the clients then send again what was not acknowledged, with the same ids, as a platform would. In the end every
acknowledged id must stand in the ledger, and each message, label and outcome exactly once.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from evaluation.ledger import Ledger
from evaluation.tables import Label, Outcome, Prediction

TEXTS = (
    "小区停水两天了，老人没法做饭",
    "老板拖欠工资三个月不发",
    "路灯坏了半年没人修",
    "孩子上学报名要什么材料",
)
N_CLIENTS = 6


@dataclass
class Acknowledged:
    """The ids the service has acknowledged, and what is still to be sent again."""

    predictions: dict[str, str] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    open: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    n_sent: int = 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def start(url: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """The service, once it is ready."""
    environment = os.environ | {
        "ZHIXU_LEDGER": url,
        "ZHIXU_SECRET": str(folder / "secret.key"),
        "ZHIXU_JOBS": str(folder / "jobs"),
        "OMP_NUM_THREADS": "1",
    }
    command = [
        str(Path(sys.executable).with_name("zhixu")),
        "serve",
        "--port",
        str(port),
        "--log-level",
        "ERROR",
    ]
    with (folder / "service.log").open("ab") as log:
        service = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return service
        if service.poll() is not None:
            break
        time.sleep(0.02)
    service.kill()
    raise RuntimeError(f"the service did not become ready; see {folder / 'service.log'}")


class Client(threading.Thread):
    """Sends one request after the other until the line breaks, first those an earlier client could not finish."""

    def __init__(self, port: int, name: str, book: Acknowledged, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._port, self._book, self._halt = port, book, stop

    def run(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            self._line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            again, self._book.open = self._book.open, []
            self._book.open.extend(again)
            for one in again:
                self._finish(*one)
            while not self._halt.is_set():
                self._one()

    def _one(self) -> None:
        number = self._book.n_sent
        self._book.n_sent += 1
        message_id = f"{self.name}-{number}"
        body = {"id": message_id, "text": TEXTS[number % len(TEXTS)], "source": "hotline"}
        answer = self._finish("/v1/classify", body, message_id)
        label = {"prediction_id": answer["prediction_id"], "domain": answer["domain"]}
        self._finish("/v1/feedback", label, f"l-{message_id}")
        for match in answer["matches"][:1]:
            self._finish(f"/v1/matches/{match['match_id']}/outcome", {"outcome": "met"}, f"o-{message_id}")

    def _finish(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        if (path, body, key) not in self._book.open:
            self._book.open.append((path, body, key))
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        self._line.request("POST", path, json.dumps(body).encode(), headers)
        response = self._line.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        if response.status not in (200, 201):
            raise ValueError(f"{path}: {response.status} {answer}")
        if "prediction_id" in answer:
            self._book.predictions[body["id"]] = answer["prediction_id"]
        self._book.labels += [answer["label_id"]] if "label_id" in answer else []
        self._book.outcomes += [answer["outcome_id"]] if "outcome_id" in answer else []
        self._book.open.remove((path, body, key))
        return answer


def torment(
    url: str, folder: Path, moments: int, seed: int, enough: threading.Event | None = None
) -> tuple[list[Acknowledged], int]:
    """Kill the service `moments` times under load, or until it is `enough`, then let the clients finish.

    Returns what each client was acknowledged, and how many kills there were.
    """
    chance, books, kills = random.Random(seed), [Acknowledged() for _ in range(N_CLIENTS)], 0
    last = False
    while not last:
        last = kills >= moments or (enough is not None and enough.is_set())
        port = free_port()
        service = start(url, folder, port)
        stop = threading.Event()
        clients = [Client(port, f"c{n}", book, stop) for n, book in enumerate(books)]
        for client in clients:
            client.start()
        if last:
            time.sleep(1)
            stop.set()
        else:
            time.sleep(chance.uniform(0.01, 0.6))
            service.send_signal(signal.SIGKILL)
            kills += 1
        for client in clients:
            client.join()
        service.send_signal(signal.SIGTERM)
        service.wait(60)
    return books, kills


def findings(url: str, books: list[Acknowledged]) -> dict[str, int]:
    """What is missing and what stands twice; all zeros when the promise is kept."""
    ledger = Ledger(url)
    with ledger.engine.connect() as connection:
        predictions = {row.id: row.message_id for row in connection.execute(select(Prediction))}
        labels = connection.execute(select(Label.prediction_id, Label.id)).all()
        outcomes = connection.execute(select(Outcome.match_id, Outcome.id)).all()
    ledger.close()
    acknowledged = {key for book in books for key in book.predictions.values()}
    return {
        "predictions missing": len(acknowledged - predictions.keys()),
        "messages twice": sum(count - 1 for count in Counter(predictions.values()).values()),
        "predictions nobody was told": len(predictions.keys() - acknowledged),
        "labels missing": len({k for b in books for k in b.labels} - {row.id for row in labels}),
        "labels twice": sum(n - 1 for n in Counter(row.prediction_id for row in labels).values()),
        "outcomes missing": len({k for b in books for k in b.outcomes} - {row.id for row in outcomes}),
        "outcomes twice": sum(n - 1 for n in Counter(row.match_id for row in outcomes).values()),
        "still open": sum(len(book.open) for book in books),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ledger", help="an empty SQLite or PostgreSQL ledger; a new SQLite file by default")
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.ledger or f"sqlite:///{folder}/ledger.sqlite"
        enough = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: enough.set())
        books, kills = torment(url, Path(folder), given.moments, given.seed, enough)
        found = findings(url, books)
        told = sum(len(b.predictions) + len(b.labels) + len(b.outcomes) for b in books)
        print(f"{kills} kills, {told:,} acknowledged: " + ", ".join(f"{v} {k}" for k, v in found.items()))
        sys.exit(any(found.values()))


if __name__ == "__main__":
    main()

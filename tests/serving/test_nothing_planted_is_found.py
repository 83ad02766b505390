"""What residents planted in their messages stands nowhere afterwards: ledger, logs, metrics, errors."""

import json
import logging
import sqlite3
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evaluation.ledger import Ledger
from matching.catalogue import Catalogue
from matching.matcher import Matcher
from models.identifier import Identifier
from nlp.masking import DOOR, NAME, mask
from serving.app import create_app
from serving.settings import Settings

PLANTED = Path(__file__).parents[1] / "nlp" / "planted.jsonl"


def masked_values(row: dict[str, object]) -> set[str]:
    """The planted values long enough to be sought by grep that masking finds; its misses are counted elsewhere."""
    text = str(row["text"])
    covered = {place for span in mask(text).spans for place in range(span.start, span.end)}
    spans: list[tuple[int, int, str]] = row["spans"]  # type: ignore[assignment]
    return {
        text[start:end]
        for start, end, kind in spans
        if end - start >= (3 if kind == NAME else 6)
        and kind != DOOR
        and all(place in covered for place in range(start, end) if text[place].isalnum())
    }


@pytest.mark.slow
def test_nothing_planted_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rows = [json.loads(line) for line in PLANTED.read_text("utf-8").splitlines()]
    values = set().union(*map(masked_values, rows))
    assert len(values) > 300
    identifier = Identifier.load()
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{path}")
    matcher = Matcher(identifier, Catalogue.load(identifier.taxonomy)[0])
    told = []
    with TestClient(create_app(Settings(), identifier, matcher, ledger)) as client:
        bodies = [{"id": str(n), "text": r["text"], "source": r["source"]} for n, r in enumerate(rows)]
        for body in bodies[::6]:
            told += [client.post("/v1/classify", json=body), client.post("/v1/match", json=body)]
            told += [
                client.post("/v1/classify", json=body | {"source": body["text"]}),
                client.post("/v1/classify", json=body | {"text": [body["text"]]}),
                client.post("/v1/classify", json=body | {"text": str(body["text"]) * 200}),
                client.post("/v1/classify", content=json.dumps(body)[:-3]),
            ]
        told.append(client.post("/v1/classify/batch", json={"messages": bodies}))
        told.append(client.get("/metrics"))
    ledger.close()
    with sqlite3.connect(path) as book:
        kept = "\n".join(book.iterdump())
    book.close()
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir()).decode("utf-8", "ignore")
    places = {
        "answers": "\n".join(answer.text for answer in told),
        "ledger": kept,
        "files": files,
        "logs": caplog.text,
    }
    assert {name: [v for v in values if v in text] for name, text in places.items()} == {
        name: [] for name in places
    }

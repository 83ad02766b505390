from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evaluation.ledger import Ledger
from matching.catalogue import Catalogue
from matching.matcher import Matcher
from models.identifier import Identifier
from serving.app import create_app
from serving.settings import Settings


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    path: Path = tmp_path_factory.mktemp("ledger")
    identifier = Identifier.load()
    catalogue, problems = Catalogue.load(identifier.taxonomy)
    assert not problems
    ledger = Ledger(f"sqlite:///{path / 'ledger.sqlite'}")
    with TestClient(create_app(Settings(), identifier, Matcher(identifier, catalogue), ledger)) as client:
        yield client
    ledger.close()


def test_a_message_gets_needs_and_matches(client: TestClient) -> None:
    body = {"source": "hotline", "district": "南桥区", "text": "我家老人八十多了一个人住，停水两天了没人管"}
    answer = client.post("/v1/classify", json=body).json()
    assert answer["domain"] == answer["needs"][0]["domain"]
    assert answer["response"]["deadline_seconds"] > 0
    assert {match["resource_id"] for match in answer["matches"]} & {"R301", "R302"}


@pytest.mark.parametrize(
    "body", [{"text": ""}, {"text": "x" * 20_001}, {"text": "路灯", "source": "fax"}, {"text": 3}]
)
def test_bad_input_is_a_problem_that_does_not_repeat_it(client: TestClient, body: dict[str, object]) -> None:
    response = client.post("/v1/classify", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert "xxx" not in response.text


def test_probes_and_metrics_answer(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["status"] == "ready"
    assert "zhixu_request_seconds" in client.get("/metrics").text

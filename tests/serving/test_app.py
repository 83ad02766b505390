import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving.openapi import to_text

ROOT = Path(__file__).resolve().parents[2]
BODY = {"source": "hotline", "district": "南桥区", "text": "我家老人八十多了一个人住，停水两天了没人管"}


def test_the_committed_description_is_the_apis_own(client: TestClient) -> None:
    committed = (ROOT / "openapi.json").read_text("utf-8")
    assert committed == to_text(client.get("/openapi.json").json()), "run `make openapi`"


def test_the_readme_shows_a_real_answer(client: TestClient) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = json.loads(readme.split("```json\n")[1].split("```")[0])
    asked = json.loads(readme.split("-d '")[1].split("'\n")[0])
    answer = client.post("/v1/classify", json=asked).json()
    for one in (shown, answer):
        one["prediction_id"] = ""
        for match in one["matches"]:
            match["match_id"] = ""
    assert list(shown) == list(answer)
    assert shown == answer


def test_documentation_fetches_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    parts = [page.text, client.get("/docs/docs.js").text, client.get("/docs/docs.css").text]
    assert not any("http://" in part or "https://" in part for part in parts)
    assert client.get("/docs/other.js").status_code == 422


def test_answers_name_their_request_and_are_compressed_on_wish(client: TestClient) -> None:
    answer = client.get("/v1/resources", headers={"X-Request-ID": "abc-1", "Accept-Encoding": "gzip"})
    assert answer.headers["x-request-id"] == "abc-1"
    assert answer.headers["content-encoding"] == "gzip"
    assert len(client.get("/healthz", headers={"X-Request-ID": "a b"}).headers["x-request-id"]) == 32


@pytest.mark.parametrize("path", ["/v1/resources", "/v1/models", "/v1/accuracy", "/v1/needs/map"])
def test_what_has_not_changed_is_not_sent_again(client: TestClient, path: str) -> None:
    tag = client.get(path).headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")


def test_unknown_addresses_and_methods_are_problems(client: TestClient) -> None:
    for response, status in ((client.get("/v2"), 404), (client.delete("/v1/classify"), 405)):
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["type"].startswith("https://zhixu.example/problems/")


def test_probes_and_metrics_answer(client: TestClient) -> None:
    client.post("/v1/classify", json=BODY)
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["status"] == "ready"
    told = client.get("/metrics").text
    for name in (
        "request_seconds",
        "stage_seconds",
        "waiting_messages",
        "batch_messages",
        "predictions_total",
    ):
        assert f"zhixu_{name}" in told
    assert 'zhixu_model_info{catalogue="' in told

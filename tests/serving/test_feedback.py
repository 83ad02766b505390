from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from evaluation.tables import Label, Outcome

BODY = {
    "id": "m1",
    "source": "hotline",
    "district": "南桥区",
    "text": "我家老人八十多了一个人住，停水两天了没人管",
}


def rows(client: TestClient, table: Any) -> int:
    with client.app.state.service.ledger.engine.connect() as connection:  # type: ignore[attr-defined]
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_labels_and_outcomes_become_accuracy(client: TestClient) -> None:
    answer = client.post("/v1/classify", json=BODY).json()
    label = {"message_id": "m1", "domain": answer["domain"], "tier": answer["tier"]}
    assert client.post("/v1/feedback", json=label).status_code == 201
    match_id = answer["matches"][0]["match_id"]
    for outcome in ("accepted", "met"):
        told = client.post(f"/v1/matches/{match_id}/outcome", json={"outcome": outcome})
        assert told.status_code == 201
    figures = {
        f["measure"]: f for f in client.get("/v1/accuracy").json()["figures"] if f["dimension"] == "all"
    }
    assert figures["domain"]["told"]["value"] == 1
    assert figures["match_met"]["n_told"] == 1
    by = client.get("/v1/accuracy?by=domain").json()["figures"]
    assert any(f["key"] == answer["domain"] for f in by)


def test_what_is_told_again_counts_once(client: TestClient) -> None:
    answer = client.post("/v1/classify", json=BODY).json()
    key = {"Idempotency-Key": "once"}
    label = {"prediction_id": answer["prediction_id"], "domain": answer["domain"]}
    path = f"/v1/matches/{answer['matches'][0]['match_id']}/outcome"
    ids = {client.post("/v1/feedback", json=label, headers=key).json()["label_id"] for _ in range(3)}
    told = {client.post(path, json={"outcome": "met"}, headers=key).json()["outcome_id"] for _ in range(3)}
    assert (len(ids), len(told), rows(client, Label), rows(client, Outcome)) == (1, 1, 1, 1)
    other = client.post("/v1/feedback", json=label | {"domain": "none"}, headers=key)
    assert (other.status_code, rows(client, Label)) == (409, 1)
    assert client.post(path, json={"outcome": "unmet"}, headers=key).status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"prediction_id": "gone", "domain": "none"}, 404),
        ({"message_id": "gone", "domain": "none"}, 404),
        ({"domain": "none"}, 422),
        ({"prediction_id": "x", "domain": "weather"}, 422),
        ({"prediction_id": "x", "domain": "none", "secondary": ["weather"]}, 422),
    ],
)
def test_feedback_on_nothing_is_a_problem(client: TestClient, body: dict[str, object], status: int) -> None:
    assert client.post("/v1/feedback", json=body).status_code == status


def test_an_outcome_of_no_match_is_a_problem(client: TestClient) -> None:
    assert client.post("/v1/matches/gone/outcome", json={"outcome": "met"}).status_code == 404
    assert client.post("/v1/matches/gone/outcome", json={"outcome": "lost"}).status_code == 422


def test_the_need_map_counts_and_pages(client: TestClient) -> None:
    texts = ["停水两天了", "老板拖欠工资三个月", "孩子上学报名要什么材料", "停水两天了没人管"]
    messages = [{"text": text, "district": "南桥区"} for text in texts]
    answered = client.post("/v1/classify/batch", json={"messages": messages})
    assert answered.status_code == 200, answered.text
    counts, cursor = [], None
    while True:
        page = client.get(
            "/v1/needs/map", params={"limit": 1} | ({"cursor": cursor} if cursor else {})
        ).json()
        counts += page["counts"]
        cursor = page["next"]
        if cursor is None:
            break
    assert sum(count["n"] for count in counts) == 4
    assert len({(c["domain"], c["tier"]) for c in counts}) == len(counts)
    assert client.get("/v1/needs/map?cursor=x").status_code == 422
    assert client.get("/v1/needs/map?since=2026-02-01&until=2026-01-01").status_code == 422

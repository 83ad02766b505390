import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BODY = {"source": "hotline", "district": "南桥区", "text": "我家老人八十多了一个人住，停水两天了没人管"}


def counted(client: TestClient) -> int:
    return client.app.state.service.ledger.count()  # type: ignore[attr-defined]


def test_a_message_gets_needs_matches_and_a_deadline(client: TestClient) -> None:
    answer = client.post("/v1/classify", json=BODY).json()
    assert answer["domain"] == answer["needs"][0]["domain"]
    assert answer["response"]["deadline_seconds"] > 0
    assert {match["resource_id"] for match in answer["matches"]} & {"R301", "R302"}
    assert all(match["match_id"] for match in answer["matches"])
    assert "matches" not in client.post("/v1/classify?match=false", json=BODY).json()


def test_match_finds_a_need_where_classify_finds_none(client: TestClient) -> None:
    answer = client.post("/v1/match", json={"text": "想要一台轮椅", "id": "w"}).json()
    assert set(answer) == {"id", "no_fit", "matches", "prediction_id"}


def test_a_batch_answers_as_its_messages_alone(client: TestClient) -> None:
    texts = ["路灯坏了半年没人修", "谢谢你们", "老板拖欠工资三个月"]
    batch = client.post("/v1/classify/batch", json={"messages": [{"text": one} for one in texts]})
    alone = [client.post("/v1/classify", json={"text": one}).json() for one in texts]
    told = ("domain", "tier", "urgency", "confidence", "review")
    assert [[one[name] for name in told] for one in batch.json()["results"]] == [
        [one[name] for name in told] for one in alone
    ]
    assert counted(client) == 6


@pytest.mark.parametrize(
    "body",
    [{"text": ""}, {"text": "x" * 20_001}, {"text": "路灯", "source": "fax"}, {"text": 3}, {"xxx": 1}, []],
)
def test_bad_input_is_a_problem_that_does_not_repeat_it(client: TestClient, body: object) -> None:
    response = client.post("/v1/classify", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert "xxx" not in response.text
    assert counted(client) == 0


def test_one_bad_message_refuses_the_batch_and_records_nothing(client: TestClient) -> None:
    response = client.post("/v1/classify/batch", json={"messages": [{"text": "路灯坏了"}, {"text": " "}]})
    assert response.status_code == 422
    assert "messages.1" in response.json()["detail"]
    assert counted(client) == 0


def test_a_batch_that_is_too_large_is_refused(client: TestClient) -> None:
    messages = [{"text": "路灯坏了"}] * 1001
    assert client.post("/v1/classify/batch", json={"messages": messages}).status_code == 422


@pytest.mark.parametrize("headers", [{"Idempotency-Key": "k1"}, {}])
def test_a_message_sent_again_gets_the_first_answer_and_counts_once(
    client: TestClient, headers: dict[str, str]
) -> None:
    body = BODY if headers else BODY | {"id": "17"}
    first = client.post("/v1/classify", json=body, headers=headers)
    again = client.post("/v1/classify", json=body, headers=headers)
    assert first.json() == again.json()
    assert counted(client) == 1
    other = client.post("/v1/classify", json=body | {"text": "别的事"}, headers=headers)
    assert (other.status_code, counted(client)) == (409, 1)


def test_a_batch_sent_again_counts_only_what_is_new(client: TestClient) -> None:
    messages = [{"id": str(n), "text": f"第{n}盏路灯坏了"} for n in range(5)]
    first = client.post("/v1/classify/batch", json={"messages": messages[:3]}).json()["results"]
    again = client.post("/v1/classify/batch", json={"messages": messages}).json()["results"]
    assert again[:3] == first
    assert counted(client) == 5
    twice = client.post("/v1/classify/batch", json={"messages": [messages[0]] * 2}).json()["results"]
    assert twice == [first[0]] * 2
    assert counted(client) == 5


def test_an_id_within_one_batch_cannot_mean_two_things(client: TestClient) -> None:
    messages = [{"id": "1", "text": "路灯坏了"}, {"id": "1", "text": "停水了"}]
    assert client.post("/v1/classify/batch", json={"messages": messages}).status_code == 409
    assert counted(client) == 0


def test_retries_at_the_same_moment_and_after_a_restart_count_once(url: str, make_app) -> None:  # type: ignore[no-untyped-def]
    body = BODY | {"id": "17"}
    with TestClient(make_app(url)) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/classify", json=body).json(), range(16)))
        assert all(answer == answers[0] for answer in answers)
        assert counted(client) == 1
    with TestClient(make_app(url)) as client:
        assert client.post("/v1/classify", json=body).json() == answers[0]
        assert counted(client) == 1


def test_requests_that_arrive_together_are_read_together(make_app) -> None:  # type: ignore[no-untyped-def]
    import httpx2

    app: FastAPI = make_app()

    async def ask() -> list[int]:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://zhixu") as client:
            answers = await asyncio.gather(*(client.post("/v1/classify", json=BODY) for _ in range(24)))
        return [answer.status_code for answer in answers]

    assert asyncio.run(ask()) == [200] * 24
    metrics = app.state.service.metrics.registry
    batches = metrics.get_sample_value("zhixu_batch_messages_count", {"stage": "reading"})
    assert batches is not None
    assert batches < 24
    app.state.service.close()


def test_when_the_queue_is_full_nothing_is_taken(make_app) -> None:  # type: ignore[no-untyped-def]
    with TestClient(make_app(max_waiting=2)) as client:
        response = client.post("/v1/classify/batch", json={"messages": [BODY] * 3})
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        assert counted(client) == 0
        assert client.post("/v1/classify", json=BODY).status_code == 200


@given(body=st.dictionaries(st.sampled_from(["id", "text", "title", "district", "source"]), st.text()))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_text_is_sent_the_answer_is_an_answer_or_a_problem(
    client: TestClient, body: dict[str, str]
) -> None:
    response = client.post("/v1/classify", content=json.dumps(body).encode())
    assert response.status_code in (200, 409, 422)

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from evaluation.ledger import Ledger
from matching.catalogue import Catalogue
from matching.matcher import Matcher
from models.identifier import Identifier
from serving.app import create_app
from serving.settings import Settings
from zhixu_client import Client, ZhixuError


class Bridge(httpx.BaseTransport):
    """Carries the client's requests into the application, after as many failures as are wanted."""

    def __init__(self, client: TestClient, failures: int = 0) -> None:
        self._client, self.failures, self.keys = client, failures, []  # type: ignore[var-annotated]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("idempotency-key"))
        answer = self._client.request(
            request.method, str(request.url), headers=dict(request.headers), content=request.read()
        )
        if self.failures:
            self.failures -= 1
            raise httpx.ReadError("the answer was lost on the way", request=request)
        headers = {k: v for k, v in answer.headers.items() if k != "content-encoding"}
        return httpx.Response(answer.status_code, headers=headers, content=answer.content)


@pytest.fixture
def served(tmp_path: Path) -> Any:
    identifier = Identifier.load()
    matcher = Matcher(identifier, Catalogue.load(identifier.taxonomy)[0])
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    settings = Settings(secret=tmp_path / "secret", jobs=tmp_path / "jobs")
    with TestClient(
        create_app(settings, identifier, matcher, ledger), base_url="http://127.0.0.1:8000"
    ) as client:
        yield client
    ledger.close()


def test_every_call_reaches_its_route(served: TestClient, tmp_path: Path) -> None:
    pauses: list[float] = []
    with Client(transport=Bridge(served), sleep=pauses.append) as zhixu:
        one = zhixu.classify("我家老人一个人住，停水两天了", district="南桥区", id="1")
        assert one.needs[0].domain == one.domain
        assert one.matches
        assert zhixu.classify("路灯坏了", match=False).matches is None
        assert len(zhixu.classify_batch([{"text": "路灯坏了"}, {"text": "停水了"}])) == 2
        assert zhixu.feedback(one.domain, message_id="1")
        assert zhixu.tell_outcome(one.matches[0].match_id, "accepted", "desk")
        path = tmp_path / "in.jsonl"
        path.write_text(json.dumps({"text": "路灯坏了"}) + "\n")
        job = zhixu.submit(path)
        while zhixu.job(job.id).state != "done":
            pass
        assert json.loads(zhixu.result(job.id))["prediction_id"]


def test_an_answer_lost_on_the_way_is_asked_for_again_and_counts_once(served: TestClient) -> None:
    bridge, pauses = Bridge(served, failures=2), list[float]()
    Client(transport=bridge, sleep=pauses.append).classify("停水两天了")
    assert len(bridge.keys) == 3
    assert len(set(bridge.keys)) == 1
    assert len(pauses) == 2
    assert served.app.state.service.ledger.count() == 1  # type: ignore[attr-defined]


def test_the_client_waits_as_long_as_the_service_wishes_and_gives_up_in_the_end() -> None:
    pauses: list[float] = []
    busy = httpx.MockTransport(lambda _: httpx.Response(429, headers={"Retry-After": "7"}, content=b"{}"))
    with pytest.raises(ZhixuError) as raised:
        Client(transport=busy, attempts=3, sleep=pauses.append).classify("停水")
    assert raised.value.status == 429
    assert [int(pause) for pause in pauses] == [7, 7]


def test_problems_are_errors_and_not_tried_again(served: TestClient) -> None:
    bridge = Bridge(served)
    with pytest.raises(ZhixuError) as raised:
        Client(transport=bridge).classify("")
    assert (raised.value.status, raised.value.kind, len(bridge.keys)) == (422, "text-empty", 1)
    assert raised.value.request_id

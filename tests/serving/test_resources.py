from typing import Any

import pytest
from fastapi.testclient import TestClient

LAMP = {
    "id": "R-lamp",
    "name": "路灯抢修队",
    "kind": "material",
    "domains": ["transport"],
    "description": "修理不亮的路灯，夜间照明抢修",
}
ASKED = {"text": "路灯不亮，夜间照明坏了，请抢修路灯"}


def test_a_resource_put_is_matched_at_once_and_removed_at_once(client: TestClient) -> None:
    before = client.get("/v1/models").json()["catalogue"]
    made = client.post("/v1/resources", json=LAMP)
    assert (made.status_code, made.headers["location"]) == (201, "/v1/resources/R-lamp")
    assert made.json()["version"] != before
    assert client.get("/v1/resources/R-lamp").json()["name"] == "路灯抢修队"
    assert client.post("/v1/resources", json=LAMP).status_code == 409
    changed = client.put("/v1/resources/R-lamp", json=LAMP | {"name": "照明抢修队"})
    assert changed.status_code == 200
    answer = client.post("/v1/match", json=ASKED).json()
    assert "照明抢修队" in [match["name"] for match in answer["matches"]]
    assert client.delete("/v1/resources/R-lamp").json()["version"] == before
    assert client.delete("/v1/resources/R-lamp").status_code == 404


def test_many_are_changed_in_one_step_or_not_at_all(client: TestClient) -> None:
    more = [LAMP | {"id": f"R-{n}"} for n in range(3)]
    answer = client.post("/v1/resources/bulk", json={"put": more, "remove": ["R301", "R-gone"]}).json()
    assert (answer["put"], answer["removed"]) == (3, 1)
    version = client.get("/v1/resources?limit=1").json()["version"]
    wrong = [LAMP | {"id": "R-9"}, LAMP | {"id": "R-8", "domains": ["weather"]}]
    for body in ({"put": wrong}, {"put": [LAMP, LAMP]}, {"put": [LAMP], "remove": ["R-lamp"]}):
        refused = client.post("/v1/resources/bulk", json=body)
        assert refused.status_code in (200, 422)
    assert client.post("/v1/resources/bulk", json={"put": wrong}).status_code == 422
    assert client.get("/v1/resources/R-9").status_code == 404
    assert version


def test_the_catalogue_pages_without_gaps(client: TestClient) -> None:
    ids: list[str] = []
    cursor = None
    while True:
        params = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/resources", params=params).json()
        ids += [one["id"] for one in page["resources"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert ids == sorted(set(ids))
    assert len(ids) == len(client.app.state.service.swap.engine.matcher.resources)  # type: ignore[attr-defined]


def test_changes_outlive_the_process_and_reach_the_others(url: str, make_app: Any) -> None:
    first, second = make_app(url), make_app(url)
    with TestClient(first) as one, TestClient(second) as other:
        one.post("/v1/resources", json=LAMP)
        one.delete("/v1/resources/R301")
        second.state.service.swap.refresh()
        assert other.get("/v1/resources/R-lamp").status_code == 200
        assert other.get("/v1/resources/R301").status_code == 404
        version = one.get("/v1/models").json()["catalogue"]
    with TestClient(make_app(url)) as again:
        assert again.get("/v1/models").json()["catalogue"] == version
        log = again.get("/v1/models").json()["activations"]
        assert [entry["subject"] for entry in log].count("catalogue") == 2


@pytest.mark.parametrize("body", [{}, LAMP | {"kind": "magic"}, LAMP | {"domains": []}, LAMP | {"id": ""}])
def test_a_resource_nobody_can_read_is_refused(client: TestClient, body: dict[str, object]) -> None:
    assert client.put("/v1/resources/R-lamp", json=body).status_code == 422

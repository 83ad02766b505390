import json
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evaluation.activations import activations
from models.artifact import MANIFEST, read_artifact, write_artifact
from models.reference import resolve
from serving.engine import GoldenSetError, check_golden, read_golden

BODY = {"text": "停水两天了没人管"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with another sound model, one that was altered, and one that answers wrongly."""
    artifact = read_artifact(resolve("default"))
    folder = tmp_path / "models"
    files = dict(artifact.files)
    write_artifact(folder / "sound", files | {"note.txt": b"another version"}, {})
    write_artifact(folder / "altered", files, {})
    path = folder / "altered" / "lexicon.tsv"
    path.write_bytes(path.read_bytes() + b"x")
    settings = artifact.json("heads.json")
    domains = next(head for head in settings["heads"] if head["name"] == "domain")
    domains["labels"] = domains["labels"][1:] + domains["labels"][:1]
    write_artifact(folder / "wrong", files | {"heads.json": json.dumps(settings).encode()}, {})
    return folder


def test_the_shipped_model_answers_the_golden_set(client: TestClient) -> None:
    engine = client.app.state.service.swap.engine  # type: ignore[attr-defined]
    result = check_golden(engine, read_golden())
    assert result.right == result.total
    with pytest.raises(GoldenSetError):
        check_golden(engine, [row | {"domain": "culture"} for row in read_golden()])


def test_a_sound_model_takes_over_and_is_logged(make_app: Any, models: Path) -> None:
    app = make_app(models=models)
    with TestClient(app) as client:
        before = client.get("/v1/models").json()
        assert [one["name"] for one in before["available"]] == ["altered", "sound", "wrong"]
        answer = client.post("/v1/models/activate", json={"model": "sound", "reason": "每周更新"}).json()
        assert answer["previous"] == before["current"] != answer["model"]
        assert client.post("/v1/classify", json=BODY).json()["model"] == answer["model"]
        log = activations(app.state.service.ledger, "service")
        assert [(one.version, one.reason) for one in log][-1] == (answer["model"], "每周更新")
        assert f'version="{answer["model"]}"' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("name", "status"), [("altered", 422), ("wrong", 422), ("nobody", 404), ("../models/sound", 422)]
)
def test_an_unsound_model_is_refused_and_the_old_one_goes_on(
    make_app: Any, models: Path, name: str, status: int
) -> None:
    with TestClient(make_app(models=models)) as client:
        before = client.post("/v1/classify", json=BODY).json()["model"]
        refused = client.post("/v1/models/activate", json={"model": name})
        assert refused.status_code == status, refused.text
        assert client.post("/v1/classify", json=BODY).json()["model"] == before


def test_a_model_that_fails_after_all_gives_way_to_the_one_before(
    make_app: Any, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(models=models)
    with TestClient(app) as client:
        before = client.get("/v1/models").json()["current"]
        client.post("/v1/models/activate", json={"model": "sound"})
        engine = app.state.service.swap.engine

        def fail(_messages: object) -> None:
            raise ArithmeticError

        monkeypatch.setattr(engine.identifier, "identify", fail)
        assert client.post("/v1/classify", json=BODY).json()["model"] == before
        assert client.get("/v1/models").json()["current"] == before
        assert activations(app.state.service.ledger, "service")[-1].version == before


def test_no_request_fails_while_models_and_resources_are_exchanged(make_app: Any, models: Path) -> None:
    with TestClient(make_app(models=models)) as client:
        statuses: list[int] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                statuses.append(client.post("/v1/classify", json=BODY).status_code)

        asking = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        for name in ("sound", "default", "sound"):
            assert client.post("/v1/models/activate", json={"model": name}).status_code == 200
            removed = client.delete("/v1/resources/R301" if name == "default" else "/v1/resources/R302")
            assert removed.status_code in (200, 404)
        done.set()
        for thread in asking:
            thread.join()
        assert set(statuses) == {200}
        assert len(statuses) > 10


def test_manifests_that_are_none_are_not_listed(make_app: Any, models: Path) -> None:
    (models / "sound" / MANIFEST).write_text("[]", "utf-8")
    with TestClient(make_app(models=models)) as client:
        assert "sound" not in [one["name"] for one in client.get("/v1/models").json()["available"]]

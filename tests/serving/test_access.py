from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from evaluation.keys import ADMIN, ANALYST, CLASSIFY, FEEDBACK, create_key, list_keys, revoke_key, rotate_key
from evaluation.ledger import Ledger
from zhixu import build

BODY = {"text": "停水两天了"}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_without_keys_only_this_machine_is_answered(make_app: Any) -> None:
    app = make_app()
    with TestClient(app, client=("127.0.0.1", 5000)) as near:
        assert near.post("/v1/classify", json=BODY).status_code == 200
    for host in ("192.0.2.7", "2001:db8::1"):
        far = TestClient(app, client=(host, 5000))
        assert far.post("/v1/classify", json=BODY).status_code == 401
        assert far.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (CLASSIFY, {"/v1/classify", "/v1/resources"}),
        (FEEDBACK, {"/v1/feedback"}),
        (ANALYST, {"/v1/accuracy"}),
        (ADMIN, {"/v1/classify", "/v1/resources", "/v1/feedback", "/v1/accuracy", "/v1/models/activate"}),
    ],
)
def test_a_key_opens_what_its_scopes_say(make_app: Any, scope: str, allowed: set[str]) -> None:
    app = make_app()
    ledger = app.state.service.ledger
    with TestClient(app) as client:
        headers = bearer(create_key(ledger, "platform", [scope]))
        app.state.service.gate.refresh()
        asked = {
            "/v1/classify": client.post("/v1/classify", json=BODY, headers=headers),
            "/v1/resources": client.get("/v1/resources", headers=headers),
            "/v1/feedback": client.post(
                "/v1/feedback", json={"domain": "none", "message_id": "x"}, headers=headers
            ),
            "/v1/accuracy": client.get("/v1/accuracy", headers=headers),
            "/v1/models/activate": client.post(
                "/v1/models/activate", json={"model": "nobody"}, headers=headers
            ),
        }
        assert {path for path, answer in asked.items() if answer.status_code != 403} == allowed
        assert client.post("/v1/classify", json=BODY).status_code == 401


def test_keys_expire_are_revoked_and_rotated(make_app: Any) -> None:
    app = make_app()
    service = app.state.service
    now = datetime.now(UTC)
    kept = create_key(service.ledger, "kept", [CLASSIFY], now + timedelta(days=9))
    gone = create_key(service.ledger, "gone", [CLASSIFY], now - timedelta(seconds=1))
    withdrawn = create_key(service.ledger, "withdrawn", [CLASSIFY])
    revoke_key(service.ledger, withdrawn.split("_")[1])
    fresh = rotate_key(service.ledger, kept.split("_")[1], timedelta(hours=1))
    service.gate.refresh()
    ring = service.gate._ring
    assert ring.find(kept, now) is not None
    assert ring.find(kept, now + timedelta(hours=2)) is None
    assert ring.find(fresh, now + timedelta(days=8)).owner == "kept"
    for key in (gone, withdrawn, kept[:-1], kept + "x", "", "zx_", fresh.replace("zx", "yx")):
        assert ring.find(key, now) is None
    assert all(key.digest not in (kept, fresh) for key in list_keys(service.ledger))


def test_when_every_key_has_ended_the_door_does_not_fall_open(make_app: Any) -> None:
    app = make_app()
    service = app.state.service
    revoke_key(service.ledger, create_key(service.ledger, "one", [ADMIN]).split("_")[1])
    service.gate.refresh()
    with TestClient(app) as client:
        assert client.post("/v1/classify", json=BODY).status_code == 401


def test_a_new_key_works_without_a_restart(make_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.access._RELOAD_SECONDS", -1.0)
    app = make_app(refresh_seconds=1000)
    with TestClient(app) as client:
        key = create_key(app.state.service.ledger, "late", [CLASSIFY])
        assert client.post("/v1/classify", json=BODY, headers=bearer(key)).status_code == 200


def test_it_refuses_to_listen_elsewhere_without_keys(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'l.sqlite'}"
    result = CliRunner().invoke(build(), ["serve", "--host", "0.0.0.0"], env={"ZHIXU_LEDGER": url})
    assert result.exit_code == 1
    assert "zhixu keys create" in result.output


def test_the_command_line_makes_lists_rotates_and_revokes_keys(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'l.sqlite'}"

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(build(), ["keys", *arguments, "--ledger", url])

    key = run(
        "create", "平台", "--scope", "classify", "--scope", "feedback", "--expires", "30d"
    ).output.strip()
    key_id = key.split("_")[1]
    assert key_id in run("list").output
    assert key not in run("list").output
    assert run("rotate", key_id).output.startswith("zx_")
    assert run("revoke", key_id).exit_code == 0
    assert isinstance(run("revoke", key_id).exception, ValueError)
    assert isinstance(run("create", "x", "--scope", "all").exception, ValueError)
    assert len(list_keys(Ledger(url))) == 2

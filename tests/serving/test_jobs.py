import json
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from evaluation.jobs import RUNNING, change_job, open_job
from nlp.tables import read_rows, write_rows
from serving.job_files import JobFiles

TYPE = {"Content-Type": "application/x-ndjson"}
SECRET = "13812345678"


def lines(n: int) -> bytes:
    rows = [{"id": str(k), "text": f"第{k}盏路灯坏了，我电话{SECRET}"} for k in range(n)]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def ended(client: TestClient, job_id: str) -> dict[str, Any]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        if job["state"] not in ("queued", "running"):
            return job
    raise AssertionError(f"{job_id} did not end")


def counted(client: TestClient) -> int:
    return client.app.state.service.ledger.count()  # type: ignore[attr-defined]


def test_a_file_is_answered_and_what_was_sent_is_deleted(client: TestClient, tmp_path: Path) -> None:
    sent = lines(150) + b'{"id":"bad"}\n'
    made = client.post("/v1/jobs", content=sent, headers=TYPE)
    assert made.status_code == 202
    job = ended(client, made.json()["id"])
    assert (job["state"], job["n_done"], job["n_bad"], counted(client)) == ("done", 150, 1, 150)
    answers = [json.loads(line) for line in client.get(job["result"]).text.splitlines()]
    assert [answer["id"] for answer in answers] == [str(n) for n in range(150)]
    assert all(answer["prediction_id"] and answer["domain"] for answer in answers)
    for kind in ("xlsx", "csv", "parquet"):
        path = tmp_path / f"got.{kind}"
        path.write_bytes(client.get(job["result"], params={"format": kind}).content)
        assert len([row for _, row in read_rows(path)]) == 150
    left = [path for path in (tmp_path / "jobs").rglob("*") if path.is_file()]
    assert not [path for path in left if path.parent.name == "incoming"]
    assert not [path for path in left if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_other_kinds_of_file_are_taken(client: TestClient, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in{suffix}"
    write_rows(path, [{"id": "1", "text": "路灯坏了"}], ("id", "text"))
    made = client.post("/v1/jobs", params={"format": suffix[1:]}, content=path.read_bytes())
    assert ended(client, made.json()["id"])["n_done"] == 1


def test_a_file_sent_again_is_one_job(client: TestClient) -> None:
    headers = TYPE | {"Idempotency-Key": "k"}
    ids = {client.post("/v1/jobs", content=lines(3), headers=headers).json()["id"] for _ in range(2)}
    assert len(ids) == 1
    assert len(client.get("/v1/jobs").json()["jobs"]) == 1


def test_a_cut_job_goes_on_and_counts_each_row_once(make_app: Any) -> None:
    app: FastAPI = make_app()
    service = app.state.service
    files = JobFiles(service.settings.jobs)
    files.make()
    job_id = "a" * 32
    files.incoming(job_id, ".jsonl").write_bytes(lines(100))
    open_job(service.ledger, job_id, "local", ".jsonl", match=True)
    with TestClient(app) as client:
        ended(client, job_id)
        whole = client.get(f"/v1/jobs/{job_id}/result").content
    # as a crash would leave it: answers of one chunk, a torn line, rows recorded whose answers were never written
    app = make_app()
    service = app.state.service
    with service.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET state = 'queued', finished_at = NULL")
    change_job(service.ledger, job_id, state=RUNNING)
    files.incoming(job_id, ".jsonl").write_bytes(lines(100))
    kept = b"".join(line + b"\n" for line in whole.splitlines()[:64])
    files.answers(job_id).write_bytes(kept + whole.splitlines()[64][:20])
    with TestClient(app) as client:
        assert ended(client, job_id)["n_done"] == 100
        assert client.get(f"/v1/jobs/{job_id}/result").content == whole
        assert counted(client) == 100


def test_a_job_can_be_cancelled_and_its_files_go(client: TestClient, tmp_path: Path) -> None:
    job_id = client.post("/v1/jobs", content=lines(3000), headers=TYPE).json()["id"]
    assert client.get(f"/v1/jobs/{job_id}/result").status_code == 409
    assert client.post(f"/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"
    assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 409
    assert not list((tmp_path / "jobs" / "incoming").iterdir())


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [(b"", TYPE, 422), (b"x", {"Content-Type": "image/png"}, 415), (b"x" * 2000, TYPE, 413)],
)
def test_files_nobody_can_use_are_refused(
    make_app: Any, content: bytes, headers: dict[str, str], status: int
) -> None:
    with TestClient(make_app(max_upload=1000)) as client:
        assert client.post("/v1/jobs", content=content, headers=headers).status_code == status


def test_a_file_that_is_no_table_fails_in_words_that_name_no_path(client: TestClient, tmp_path: Path) -> None:
    made = client.post("/v1/jobs?format=xlsx", content=b"not a workbook")
    job = ended(client, made.json()["id"])
    assert job["state"] == "failed"
    assert str(tmp_path) not in job["problem"]

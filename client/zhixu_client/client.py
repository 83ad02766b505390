"""The client: one call a route, retried where that cannot count twice."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from zhixu_client.answers import Identification, Job, pick

_AGAIN = frozenset({408, 429, 502, 503, 504})
_LONGEST_PAUSE = 30.0
_TYPES = {
    ".jsonl": "application/x-ndjson",
    ".csv": "text/csv",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".parquet": "application/vnd.apache.parquet",
}


class ZhixuError(Exception):
    """A problem the service answered (RFC 9457); `kind` ends its type's address."""

    def __init__(self, status: int, kind: str, detail: str, request_id: str) -> None:
        super().__init__(f"{status} {kind}: {detail} (request {request_id})")
        self.status, self.kind, self.detail, self.request_id = status, kind, detail, request_id


class Client:
    """Calls the service at `url` with `key`; waits `timeout` seconds for an answer and tries `attempts` times.

    Every post carries an Idempotency-Key that stays the same when it is tried again, so a retry gets the first
    answer and counts once. Raises ZhixuError for problems, httpx.TransportError when no attempt got through.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        *,
        timeout: float = 30.0,
        attempts: int = 5,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)
        self._attempts, self._sleep = attempts, sleep

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def classify(self, text: str, *, match: bool = True, **message: Any) -> Identification:
        """One message; `message` are its other fields: id, source, title, district, received_at, resident, facts."""
        body = {"text": text, **message}
        return Identification.of(self._post("/v1/classify", body, match=match))

    def classify_batch(
        self, messages: Sequence[Mapping[str, Any]], *, match: bool = True
    ) -> list[Identification]:
        """Up to 1,000 messages, in order."""
        answer = self._post("/v1/classify/batch", {"messages": list(messages)}, match=match)
        return [Identification.of(row) for row in answer["results"]]

    def feedback(self, domain: str, **label: Any) -> str:
        """What a message is really about, by prediction_id or message_id; returns the label's id."""
        answer: dict[str, str] = self._post("/v1/feedback", {"domain": domain, **label})
        return answer["label_id"]

    def tell_outcome(self, match_id: str, outcome: str, actor: str | None = None) -> str:
        """What became of a match: accepted, declined, met or unmet; returns the outcome's id."""
        body = {"outcome": outcome} | ({"actor": actor} if actor else {})
        answer: dict[str, str] = self._post(f"/v1/matches/{match_id}/outcome", body)
        return answer["outcome_id"]

    def submit(self, path: str | Path, *, match: bool = True) -> Job:
        """A JSONL, CSV, XLSX or Parquet file to be answered in the background."""
        file = Path(path)
        headers = {"Content-Type": _TYPES[file.suffix.lower()]}
        answer = self._call("POST", "/v1/jobs", headers, content=file.read_bytes(), params={"match": match})
        return pick(Job, answer.json())

    def job(self, job_id: str) -> Job:
        """How far a job is."""
        return pick(Job, self._call("GET", f"/v1/jobs/{job_id}").json())

    def wait(self, job_id: str, seconds: float = 3600.0, every: float = 1.0) -> Job:
        """A job once it has ended. Raises TimeoutError when it has not after `seconds`."""
        until = time.monotonic() + seconds
        while (job := self.job(job_id)).state in ("queued", "running"):
            if time.monotonic() > until:
                raise TimeoutError(f"job {job_id} has not ended after {seconds:.0f} s")
            self._sleep(every)
        return job

    def result(self, job_id: str, kind: str = "jsonl") -> bytes:
        """The answers of a finished job as jsonl, csv, xlsx or parquet."""
        return self._call("GET", f"/v1/jobs/{job_id}/result", params={"format": kind}).content

    def _post(self, path: str, body: Mapping[str, Any], **params: Any) -> Any:
        return self._call("POST", path, json=body, params=params).json()

    def _call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        sent = dict(headers or {})
        if method == "POST":
            sent["Idempotency-Key"] = uuid.uuid4().hex
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                response = self._http.request(method, path, headers=sent, **more)
            except httpx.TransportError:
                if last:
                    raise
                self._sleep(_pause(attempt))
                continue
            if response.status_code not in _AGAIN or last:
                break
            self._sleep(_pause(attempt, response.headers.get("retry-after")))
        if response.is_error:
            raise _problem(response)
        return response


def _pause(attempt: int, wanted: str | None = None) -> float:
    """Seconds to wait: what the service wishes, else doubling, with chance in it so that callers spread."""
    if wanted and wanted.isdigit():
        return min(float(wanted), _LONGEST_PAUSE) + random.random() / 4
    return min(0.1 * 2.0**attempt, _LONGEST_PAUSE) * (0.5 + random.random() / 2)


def _problem(response: httpx.Response) -> ZhixuError:
    try:
        told = response.json()
        kind, detail = str(told["type"]).rsplit("/", 1)[-1], str(told["detail"])
    except (ValueError, KeyError, TypeError):
        kind, detail = "http", response.reason_phrase
    return ZhixuError(response.status_code, kind, detail, response.headers.get("x-request-id", ""))

"""The files of jobs: what was sent, until it is answered, and the masked answers, until they expire."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nlp.tables import SUFFIXES, RowError, to_json, write_rows
from serving.answers import CLASSIFY_COLUMNS

RESULT_SUFFIXES = (".jsonl", ".xlsx", ".csv", ".parquet")
_COLUMNS = (*CLASSIFY_COLUMNS, "prediction_id", "response")
_MATCH_COLUMNS = ("no_fit", "matches")
_ORPHAN_SECONDS = 3600


class JobFiles:
    """One folder: `incoming/` holds files as sent, readable by the service alone, `results/` answers and bad rows."""

    def __init__(self, folder: Path) -> None:
        self._incoming, self._results = folder / "incoming", folder / "results"

    def make(self) -> None:
        """Make the folders."""
        for place in (self._incoming, self._results):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)

    def incoming(self, job_id: str, suffix: str) -> Path:
        """Where the file of a job lies while it is not answered."""
        return self._incoming / f"{job_id}{suffix}"

    def part(self, job_id: str) -> Path:
        """Where a file lies while it arrives."""
        return self._incoming / f"{job_id}.part"

    def answers(self, job_id: str) -> Path:
        """The answers so far, one a line."""
        return self._results / f"{job_id}.jsonl"

    def bad_rows(self, job_id: str) -> Path:
        """The rows that could not be used: line and problem."""
        return self._results / f"{job_id}.errors.jsonl"

    @contextmanager
    def claim(self, path: Path) -> Iterator[bool]:
        """Whether this process alone works on a file; the claim ends with it, however it ends."""
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            yield False
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(handle)

    def begin(self, job_id: str) -> int:
        """Make ready to go on; returns how many answers an earlier run left. A torn last line is cut off."""
        self.bad_rows(job_id).unlink(missing_ok=True)
        path = self.answers(job_id)
        path.touch(mode=0o600)
        with path.open("r+b") as stream:
            whole, n_lines = 0, 0
            for line in stream:
                if line.endswith(b"\n"):
                    whole, n_lines = whole + len(line), n_lines + 1
            stream.truncate(whole)
        return n_lines

    def append(self, job_id: str, answers: Iterable[Mapping[str, Any]], bad: Iterable[RowError]) -> None:
        """Add answers and bad rows."""
        _append(self.answers(job_id), answers)
        _append(self.bad_rows(job_id), ({"line": row.line, "problem": row.problem} for row in bad))

    def result(self, job_id: str, suffix: str, *, match: bool) -> Path:
        """The answers of a finished job as a file of a kind, made when first asked for."""
        source = self.answers(job_id)
        if suffix == ".jsonl":
            return source
        path = self._results / f"{job_id}{suffix}"
        if not path.exists():
            with source.open(encoding="utf-8") as lines:
                write_rows(path, map(json.loads, lines), _COLUMNS + _MATCH_COLUMNS * match)
        return path

    def forget_input(self, job_id: str) -> None:
        """Delete what was sent."""
        for suffix in (*SUFFIXES, ".part"):
            (self._incoming / f"{job_id}{suffix}").unlink(missing_ok=True)

    def forget_results(self, job_id: str) -> None:
        """Delete answers and bad rows."""
        for path in self._results.glob(f"{job_id}.*"):
            path.unlink(missing_ok=True)

    def sweep(self, keep_days: float, known: Iterable[str]) -> None:
        """Delete results older than `keep_days`, and files that came but never became a job."""
        waiting, now = set(known), time.time()
        for path in self._results.iterdir():
            if path.name.split(".")[0] not in waiting and now - path.stat().st_mtime > keep_days * 86400:
                path.unlink(missing_ok=True)
        for path in self._incoming.iterdir():
            if path.stem not in waiting and now - path.stat().st_mtime > _ORPHAN_SECONDS:
                path.unlink(missing_ok=True)


def _append(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    lines = "".join(to_json(row) + "\n" for row in rows)
    if lines:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(lines)

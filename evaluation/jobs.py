"""The book of jobs: which files wait to be answered, how far they are, and how they ended."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, or_, select, update

from evaluation.ledger import Ledger
from evaluation.service_tables import Job

QUEUED, RUNNING, DONE, FAILED, CANCELLED = STATES = ("queued", "running", "done", "failed", "cancelled")
OPEN = (QUEUED, RUNNING)


def open_job(ledger: Ledger, job_id: str, owner: str, suffix: str, *, match: bool) -> Job:
    """Note a file that waits; it is durable when this returns."""
    job = Job(
        id=job_id,
        owner=owner,
        created_at=datetime.now(UTC),
        state=QUEUED,
        suffix=suffix,
        match=match,
        n_done=0,
        n_bad=0,
    )
    with ledger.session() as session, session.begin():
        session.add(job)
    return job


def new_job_id() -> str:
    """An id nobody can guess."""
    return uuid.uuid4().hex


def find_job(ledger: Ledger, job_id: str) -> Job | None:
    """A job by id."""
    with ledger.session() as session:
        return session.get(Job, job_id)


def list_jobs(ledger: Ledger, owner: str | None, after: tuple[datetime, str] | None, limit: int) -> list[Job]:
    """At most `limit` jobs of one owner or of all, newest first, that come after a (created_at, id) pair."""
    query = select(Job).order_by(Job.created_at.desc(), Job.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(Job.owner == owner)
    if after is not None:
        moment, job_id = after
        query = query.where(or_(Job.created_at < moment, and_(Job.created_at == moment, Job.id < job_id)))
    with ledger.session() as session:
        return list(session.scalars(query))


def waiting_jobs(ledger: Ledger) -> list[str]:
    """The ids of jobs not yet ended, oldest first; after a crash also those that had begun."""
    query = select(Job.id).where(Job.state.in_(OPEN)).order_by(Job.created_at, Job.id)
    with ledger.engine.connect() as connection:
        return list(connection.execute(query).scalars())


def change_job(ledger: Ledger, job_id: str, **values: Any) -> bool:
    """Note progress or the end of a job that has not ended; False where it has, and nothing changed."""
    if values.get("state") in (DONE, FAILED, CANCELLED):
        values["finished_at"] = datetime.now(UTC)
    change = update(Job).where(Job.id == job_id, Job.state.in_(OPEN)).values(**values)
    with ledger.engine.begin() as connection:
        return bool(connection.execute(change).rowcount)

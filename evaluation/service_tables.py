"""The tables the service needs beside the books: receipts, keys, jobs and changed resources."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from evaluation.tables import MOMENT, Base


class Receipt(Base):
    """That a request was answered, by which prediction; `key` and `fingerprint` are keyed hashes.

    `response` is what the taxonomy of that moment prescribed, as it was told.
    """

    __tablename__ = "receipts"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    prediction_id: Mapped[str] = mapped_column(
        String(32), ForeignKey("predictions.id", ondelete="CASCADE"), index=True
    )
    response: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class ApiKey(Base):
    """A key somebody may call with; only the hash of its secret is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    owner: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(MOMENT)
    expires_at: Mapped[datetime | None] = mapped_column(MOMENT)
    revoked_at: Mapped[datetime | None] = mapped_column(MOMENT)


class Job(Base):
    """A file to be answered in the background; `n_rows` is about how many rows it holds, None until counted."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(MOMENT, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(MOMENT)
    state: Mapped[str] = mapped_column(String(16), index=True)
    suffix: Mapped[str] = mapped_column(String(16))
    match: Mapped[bool] = mapped_column(Boolean)
    n_rows: Mapped[int | None] = mapped_column(Integer)
    n_done: Mapped[int] = mapped_column(Integer)
    n_bad: Mapped[int] = mapped_column(Integer)
    problem: Mapped[str | None] = mapped_column(Text)


class StoredResource(Base):
    """A resource as it was last put, once the catalogue was changed through the service."""

    __tablename__ = "resources"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_at: Mapped[datetime] = mapped_column(MOMENT)
    changed_by: Mapped[str] = mapped_column(String(100))

"""Settings of the service, read once from the environment (`ZHIXU_…`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from evaluation.ledger import DEFAULT_LEDGER


class Settings(BaseSettings):
    """Where things are and how much is allowed; sizes in bytes, characters or messages, times in seconds or days.

    `ledger` may be `none`: then nothing is recorded, and what needs a record is refused. `models` is a folder of
    models that may be activated by name. `secret` is the file whose secret hashes residents' references.
    """

    model_config = SettingsConfigDict(env_prefix="ZHIXU_")

    model: str = "default"
    models: Path | None = None
    resources: Path | None = None
    ledger: str = DEFAULT_LEDGER
    secret: Path = Path("var/secret.key")
    jobs: Path = Path("var/jobs")
    max_text: int = Field(default=20_000, ge=1)
    max_batch: int = Field(default=1_000, ge=1)
    max_body: int = Field(default=8_000_000, ge=1)
    max_upload: int = Field(default=500_000_000, ge=1)
    max_waiting: int = Field(default=4_000, ge=1)
    max_jobs: int = Field(default=100, ge=1)
    read_together: int = Field(default=32, ge=1)
    timeout_seconds: float = Field(default=30, gt=0)
    drain_seconds: float = Field(default=1, ge=0)
    shutdown_seconds: float = Field(default=30, gt=0)
    refresh_seconds: float = Field(default=2, gt=0)
    job_days: float = Field(default=7, gt=0)

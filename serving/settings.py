"""Settings of the service, read once from the environment (`ZHIXU_…`)."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are and how much is allowed; sizes in bytes or characters."""

    model_config = SettingsConfigDict(env_prefix="ZHIXU_")

    model: str = "default"
    resources: Path | None = None
    ledger: str = "sqlite:///var/zhixu.sqlite"
    max_text: int = 20_000
    max_batch: int = 1_000
    max_body: int = 8_000_000

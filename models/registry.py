"""The registry read side: which directory a registered model's artifact lies in (MLflow, extra `registry`).

Run as `python -m models.registry REFERENCE` it prints that directory.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from models.artifact import read_artifact
from nlp.extras import require

EXTRA = "registry"
MODEL_NAME = "zhixu"
CHAMPION, CHALLENGER = "champion", "challenger"
URI_VARIABLE = "ZHIXU_MLFLOW"
DEFAULT_URI = "sqlite:///var/mlflow.sqlite"
ARTIFACT = "model"


class RegistryError(ValueError):
    """A registered model that is not there, or a registry that cannot be used, with the remedy."""


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """Which registered model is meant: by alias, or by version number."""

    name: str
    alias: str | None = None
    version: str | None = None

    @classmethod
    def parse(cls, reference: str) -> RegisteredModel:
        """`champion`, `NAME@champion` or `NAME/3`. Raises RegistryError."""
        told = reference.removeprefix("models:/")
        if match := re.fullmatch(r"([\w.-]+)@([\w-]+)", told):
            return cls(match[1], alias=match[2])
        if match := re.fullmatch(r"([\w.-]+)/(\d+)", told):
            return cls(match[1], version=match[2])
        if re.fullmatch(r"[\w-]+", told):
            return cls(MODEL_NAME, alias=told)
        raise RegistryError(
            f"{reference!r} names no registered model; write champion, NAME@champion or NAME/3"
        )


def tracking_uri(uri: str | None = None) -> str:
    """Where the registry is: `uri`, else `ZHIXU_MLFLOW`, else a local SQLite file."""
    return uri or os.environ.get(URI_VARIABLE) or DEFAULT_URI


def client(uri: str | None = None) -> Any:
    """An MLflow client of the tracking server and registry at `uri` (see `tracking_uri`)."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow = require("mlflow", EXTRA)
    uri = tracking_uri(uri)
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return mlflow.MlflowClient(uri, uri)


def find(mlflow_client: Any, model: RegisteredModel) -> Any:
    """The MLflow model version that is meant. Raises RegistryError when there is none."""
    exception = require("mlflow.exceptions", EXTRA).MlflowException
    try:
        if model.alias:
            return mlflow_client.get_model_version_by_alias(model.name, model.alias)
        return mlflow_client.get_model_version(model.name, model.version)
    except exception as error:
        meant = f"{model.name}@{model.alias}" if model.alias else f"{model.name}/{model.version}"
        raise RegistryError(f"no registered model {meant} ({error.error_code})") from None


def locate(mlflow_client: Any, version: Any) -> Path:
    """The directory of a model version's artifact: where it lies, or a verified copy of a remote one."""
    uri = mlflow_client.get_run(version.run_id).info.artifact_uri
    place = urlparse(uri)
    if place.scheme in ("", "file"):
        return Path(unquote(place.path)) / ARTIFACT
    kept = Path(os.environ.get("ZHIXU_MODELS", "var/models")) / str(version.tags["artifact"])
    if not kept.exists():
        download = require("mlflow.artifacts", EXTRA).download_artifacts
        kept.parent.mkdir(parents=True, exist_ok=True)
        staging = kept.with_name(f".{kept.name}.{os.getpid()}")
        read_artifact(Path(download(run_id=version.run_id, artifact_path=ARTIFACT, dst_path=str(staging))))
        (staging / ARTIFACT).replace(kept)
        staging.rmdir()
    return kept


def main(reference: str) -> None:
    """Print the directory of a registered model."""
    try:
        found = client()
        print(locate(found, find(found, RegisteredModel.parse(reference))))
    except (ValueError, OSError, ImportError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1])

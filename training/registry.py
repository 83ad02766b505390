"""The registry: trained models registered, compared, promoted and rolled back; each step whole or not at all.

MLflow holds the versions and says by its alias `champion` which model answers; the ledger's activation log says
who put it there, when and why. A version is registered only after its artifact lies complete and verified; an
alias moves in one transaction; and a log that a killed process left behind is caught up by the next command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.activations import activations, record_activation
from evaluation.ledger import Ledger
from models.artifact import read_artifact
from models.registry import (
    ARTIFACT,
    CHALLENGER,
    CHAMPION,
    EXTRA,
    MODEL_NAME,
    RegisteredModel,
    RegistryError,
    client,
    find,
    locate,
    tracking_uri,
)
from nlp.extras import require

EXPERIMENT = "zhixu"
REPORT = "report"
_CAUGHT_UP = "补记：上次操作未及记录 · noted later: the command that did it was cut short"
_MOST_PARAMETER = 500


@dataclass(frozen=True, slots=True)
class Version:
    """One registered model: its number, its artifact's version, the aliases it bears, whether it may be promoted."""

    number: str
    artifact: str
    aliases: tuple[str, ...]
    run_id: str
    tags: Mapping[str, str]


class Registry:
    """The versions of one registered model `name` in the MLflow store at `uri`."""

    def __init__(self, ledger: Ledger, uri: str | None = None, name: str = MODEL_NAME) -> None:
        self._ledger = ledger
        self._uri = tracking_uri(uri)
        self._client = client(self._uri)
        self.name = name
        self.subject = f"{name}@{CHAMPION}"
        self.catch_up()

    def versions(self) -> list[Version]:
        """Every registered version, the newest first."""
        exception = require("mlflow.exceptions", EXTRA).MlflowException
        try:
            aliases = self._client.get_registered_model(self.name).aliases
        except exception:
            return []
        found = self._client.search_model_versions(f"name = '{self.name}'")
        rows = [
            Version(
                str(one.version),
                one.tags.get("artifact", ""),
                tuple(sorted(alias for alias, number in aliases.items() if str(number) == str(one.version))),
                one.run_id,
                dict(one.tags),
            )
            for one in found
        ]
        return sorted(rows, key=lambda row: -int(row.number))

    def version(self, reference: str) -> Version:
        """The version a number, alias or artifact version names. Raises RegistryError when there is none."""
        for one in self.versions():
            if reference in (one.number, one.artifact, *one.aliases):
                return one
        raise RegistryError(f"no version {reference!r} of {self.name}; see zhixu registry list")

    def champion(self) -> Version | None:
        """The version that answers, or None before the first promotion."""
        return next((one for one in self.versions() if CHAMPION in one.aliases), None)

    def locate(self, version: Version) -> Path:
        """The directory of a version's artifact."""
        return locate(self._client, find(self._client, RegisteredModel(self.name, version=version.number)))

    def report(self, version: Version) -> Path:
        """The folder of the report that came with a version; it may not exist."""
        return self.locate(version).parent / REPORT

    def register(self, directory: Path, figures: Mapping[str, float], report: Path | None = None) -> Version:
        """Register the artifact in `directory` as challenger; `figures` are metrics by name, `report` goes with it.

        An artifact that is registered already keeps its number. Raises ArtifactError when it is not whole.
        """
        artifact = read_artifact(directory)
        known = next((one for one in self.versions() if one.artifact == artifact.version), None)
        if known is None:
            run_id = self._log(directory, artifact.facts, figures, report)
            self._ensure_model()
            tags = {"artifact": artifact.version, "validation": _validation(artifact.facts)}
            made = self._client.create_model_version(
                self.name, f"runs:/{run_id}/{ARTIFACT}", run_id, tags=tags
            )
            self._client.set_terminated(run_id)
            known = Version(str(made.version), artifact.version, (), run_id, tags)
        self._client.set_registered_model_alias(self.name, CHALLENGER, known.number)
        return self.version(known.number)

    def _log(
        self, directory: Path, facts: Mapping[str, Any], figures: Mapping[str, float], report: Path | None
    ) -> str:
        entities = require("mlflow.entities", EXTRA)
        run_id: str = self._client.create_run(self._experiment(), run_name=directory.name).info.run_id
        parameters = [
            entities.Param(name, str(value)[:_MOST_PARAMETER]) for name, value in sorted(_flat(facts).items())
        ]
        metrics = [entities.Metric(name, float(value), 0, 0) for name, value in sorted(figures.items())]
        self._client.log_batch(run_id, metrics=metrics, params=parameters)
        self._client.log_artifacts(run_id, str(directory), ARTIFACT)
        if report is not None and report.is_dir():
            self._client.log_artifacts(run_id, str(report), REPORT)
        return run_id

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        place = None
        if self._uri.startswith("sqlite:///"):
            folder = Path(self._uri.removeprefix("sqlite:///")).resolve().parent / "mlflow-artifacts"
            place = folder.as_uri()
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=place))

    def _ensure_model(self) -> None:
        exception = require("mlflow.exceptions", EXTRA).MlflowException
        try:
            self._client.create_registered_model(self.name)
        except exception as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise RegistryError(
                    f"the registry refuses model {self.name!r} ({error.error_code})"
                ) from None

    def test_set(self) -> str | None:
        """The SHA-256 of the frozen test set promotions are decided on, or None before the first."""
        exception = require("mlflow.exceptions", EXTRA).MlflowException
        try:
            found: str | None = self._client.get_registered_model(self.name).tags.get("test_sha256")
        except exception:
            return None
        return found

    def freeze_test_set(self, sha256: str) -> None:
        """Decide promotions on this test set from now on."""
        self._client.set_registered_model_tag(self.name, "test_sha256", sha256)

    def promote(self, version: Version, actor: str, reason: str, *, forced: bool = False) -> None:
        """Make a version the champion, after checking that its artifact can be read."""
        read_artifact(self.locate(version))
        self._client.set_registered_model_alias(self.name, CHAMPION, version.number)
        record_activation(self._ledger, self.subject, version.artifact, actor, reason, forced=forced)

    def roll_back(self, actor: str, reason: str) -> Version:
        """Make the champion's predecessor the champion again. Raises RegistryError when there is none."""
        before: list[str] = []
        for entry in activations(self._ledger, self.subject):
            if entry.version in before[-2:-1]:
                before.pop()
            elif entry.version not in before[-1:]:
                before.append(entry.version)
        known = {one.artifact: one for one in self.versions()}
        for artifact in reversed(before[:-1]):
            if artifact in known:
                self.promote(known[artifact], actor, reason)
                return known[artifact]
        raise RegistryError("no earlier champion to return to; promote a version instead")

    def keep_comparison(self, version: Version, name: str, content: str) -> None:
        """Keep a comparison beside a version's report."""
        self._client.log_text(version.run_id, content, f"{REPORT}/{name}")

    def catch_up(self) -> None:
        """Note in the activation log a champion that a command cut short did not note."""
        champion = self.champion()
        if champion is None:
            return
        log = activations(self._ledger, self.subject)
        if not log or log[-1].version != champion.artifact:
            record_activation(self._ledger, self.subject, champion.artifact, "registry", _CAUGHT_UP)


def _validation(facts: Mapping[str, Any]) -> str:
    told = facts.get("validation") or {}
    if not told.get("checked"):
        return "unchecked"
    return "errors" if told.get("errors") else "passed"


def _flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Facts as one level of parameters; figures and lists of data stay in the artifact's manifest."""
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        if name in ("held_out", "data"):
            continue
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    for number, one in enumerate(facts.get("data", ())):
        flat[f"data.{number}"] = f"{one['name']} {one['n_records']} {one['sha256']}"
    return flat

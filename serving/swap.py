"""Swapping: another model or another catalogue answers from the next batch on, and no request notices.

A model is loaded and put to the golden set beside the one that answers. For a while after the exchange it is on
trial: if it fails on messages the previous one can read, the previous one answers again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from evaluation.activations import answering, record_activation
from evaluation.ledger import Ledger
from evaluation.stored_catalogue import store_change, stored_resources
from evaluation.tables import Activation
from matching.catalogue import ResourceShape, unknown_label
from matching.records import Resource
from serving.engine import Engine, GoldenResult, check_golden, read_golden
from serving.memory import give_back
from serving.metrics import Metrics

SERVICE, CATALOGUE = "service", "catalogue"
_TRIAL_SECONDS = 60.0


class Swap:
    """Holds the engine that answers, and exchanges it; one exchange or change at a time."""

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger | None,
        metrics: Metrics,
        golden: Sequence[dict[str, Any]] | None = None,
        build: Callable[..., Engine] = Engine.build,
    ) -> None:
        self._engine, self._ledger, self._metrics, self._build = engine, ledger, metrics, build
        self._golden = golden
        self._previous: tuple[Engine, float] | None = None
        self._changing = threading.RLock()
        self._seen: int | None = None
        self.refresh()
        self._tell()

    @property
    def engine(self) -> Engine:
        """The engine that answers now."""
        return self._engine

    def activate(self, reference: str | Path, actor: str, reason: str) -> GoldenResult:
        """Let another model answer from now on; blocks while it is loaded and tried.

        Raises FileNotFoundError, ArtifactError, ValueError or GoldenSetError; then the old one goes on answering.
        """
        with self._changing:
            try:
                resources = self._engine.matcher.resources.values()
                candidate = self._build(reference, resources)
                golden = self._golden if self._golden is not None else read_golden()
                result = check_golden(candidate, golden)
            except Exception:
                self._metrics.activations.labels("refused").inc()
                raise
            self._exchange(candidate, actor, reason)
            self._metrics.activations.labels("done").inc()
            give_back()
            return result

    def _exchange(self, candidate: Engine, actor: str, reason: str) -> None:
        before = self._engine
        if self._ledger is not None:
            record_activation(self._ledger, SERVICE, candidate.identifier.version, actor, reason)
        self._previous = before, time.monotonic() + _TRIAL_SECONDS
        self._engine = candidate
        self._tell()

    def fallback(self, failing: Engine) -> Engine | None:
        """The engine that answered before, while the one that fails is on trial."""
        previous = self._previous
        if failing is self._engine and previous is not None and time.monotonic() < previous[1]:
            return previous[0]
        return None

    def give_up(self, failing: Engine) -> None:
        """Return to the previous engine, for the new one failed where the previous did not."""
        with self._changing:
            before = self.fallback(failing)
            if before is None:
                return
            self._exchange(
                before, "zhixu", f"{failing.identifier.version} failed on messages after activation"
            )
            self._previous = None
            self._metrics.activations.labels("returned").inc()

    def put(self, resources: Sequence[Resource], removed: Sequence[str], actor: str, reason: str) -> str:
        """Put and remove resources, durably; the next batch sees the change. Returns the catalogue's version.

        Raises ValueError for a resource the taxonomy cannot read or an id given twice.
        """
        ids = Counter([*(resource.id for resource in resources), *removed])
        if twice := [one for one, count in ids.items() if count > 1]:
            raise ValueError(f"resource {twice[0]!r} is given twice; give each id once")
        for resource in resources:
            if problem := unknown_label(resource, self._engine.identifier.taxonomy):
                raise ValueError(problem)
        with self._changing:
            matcher = self._engine.matcher
            if self._ledger is not None:
                base = (resource_body(one) for one in list(matcher.resources.values()))
                store_change(self._ledger, [resource_body(one) for one in resources], removed, base, actor)
            version = matcher.put(resources)
            if removed:
                version = matcher.remove(removed)
            if self._ledger is not None:
                record_activation(self._ledger, CATALOGUE, version, actor, reason)
            self._tell()
            return version

    def refresh(self) -> None:
        """Follow what another process changed in the catalogue, and let a model whose trial is over go.

        Raises SQLAlchemyError while the ledger cannot be read.
        """
        if self._previous is not None and time.monotonic() > self._previous[1]:
            self._previous = None
            give_back()
        if self._ledger is None:
            return
        with self._changing:
            newest = select(func.max(Activation.id)).where(Activation.subject == CATALOGUE)
            with self._ledger.engine.connect() as connection:
                seen: int | None = connection.execute(newest).scalar()
            if seen is not None and seen != self._seen:
                self._follow(stored_resources(self._ledger))
                self._tell()
            self._seen = seen

    def _follow(self, bodies: Sequence[dict[str, Any]]) -> None:
        matcher = self._engine.matcher
        wanted = {body["id"]: ResourceShape.model_validate(body).to_resource() for body in bodies}
        held = dict(matcher.resources.items())
        matcher.put([one for key, one in wanted.items() if held.get(key) != one])
        matcher.remove([key for key in held if key not in wanted])

    def note_start(self) -> None:
        """Write into the activation log which model answers since the service started, where it is another."""
        if self._ledger is None:
            return
        version = self._engine.identifier.version
        if answering(self._ledger, SERVICE, datetime.now(UTC)) != version:
            record_activation(self._ledger, SERVICE, version, "zhixu", "service started")

    def _tell(self) -> None:
        self._metrics.answers_with(self._engine.identifier.version, self._engine.matcher.version)


def resource_body(resource: Resource) -> dict[str, Any]:
    """A resource as JSON, in the shape it is put in."""
    return ResourceShape.model_validate(asdict(resource)).model_dump(mode="json")

"""Metrics in Prometheus's form: how long, how many, how much waits; counts and labels only, never text."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from models.records import Identification

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The service's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "zhixu_request_seconds",
            "Time to answer a request",
            ["route", "status"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.stages = Histogram(
            "zhixu_stage_seconds",
            "Time of a batch in a stage (wait, identify, match, ledger)",
            ["stage"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.batches = Histogram(
            "zhixu_batch_messages",
            "Messages worked on together",
            ["stage"],
            registry=self.registry,
            buckets=_SIZES,
        )
        self.waiting = Gauge(
            "zhixu_waiting_messages", "Messages that wait", ["stage"], registry=self.registry
        )
        self.refused = Counter(
            "zhixu_refusals_total", "Requests refused, by problem", ["kind"], registry=self.registry
        )
        self.repeated = Counter(
            "zhixu_repeated_total", "Messages sent again and answered as before", registry=self.registry
        )
        self.predictions = Counter(
            "zhixu_predictions_total",
            "Answered messages",
            ["domain", "tier", "source"],
            registry=self.registry,
        )
        self.reviews = Counter("zhixu_reviews_total", "Messages sent to a person", registry=self.registry)
        self.no_fits = Counter(
            "zhixu_no_fits_total", "Needs for which no resource fits", registry=self.registry
        )
        self.jobs = Gauge("zhixu_open_jobs", "Jobs queued or running", registry=self.registry)
        self.activations = Counter(
            "zhixu_activations_total", "Exchanges of model or catalogue", ["outcome"], registry=self.registry
        )
        self._info = Gauge(
            "zhixu_model_info", "The model and catalogue that answer", ["version", "catalogue"],
            registry=self.registry,
        )  # fmt: skip

    def answers_with(self, model: str, catalogue: str) -> None:
        """Name the model and catalogue that answer from now on."""
        self._info.clear()
        self._info.labels(model, catalogue).set(1)

    def observer(self, stage: str) -> Callable[[int, float], None]:
        """What a stage's batches are told to: their size and how many seconds the first item waited."""
        sizes, waits = self.batches.labels(stage), self.stages.labels(f"wait for {stage}")

        def observe(size: int, seconds: float) -> None:
            sizes.observe(size)
            waits.observe(seconds)

        return observe

    def count(self, one: Identification) -> None:
        """Count an answered message."""
        self.predictions.labels(one.domain, one.tier or "", one.prepared.source or "").inc()
        if one.review:
            self.reviews.inc()

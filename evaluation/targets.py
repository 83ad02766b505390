"""Targets: the line an accuracy is held to, and the alerts when its interval falls below it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluation.accuracy import ALL, Books, Figure

LINE = 0.89
Standing = Literal["held", "open", "missed", "unknown"]
_log = logging.getLogger("zhixu.accuracy")


@dataclass(frozen=True, slots=True)
class Target:
    """The share of right cases, in 0–1, that a measure is held to."""

    measure: str
    line: float = LINE

    def __post_init__(self) -> None:
        if not 0 < self.line < 1:
            raise ValueError(f"target {self.line} is no share between 0 and 1; give one such as {LINE}")


TARGETS = (Target("domain"), Target("match_accepted"))


@dataclass(frozen=True, slots=True)
class Alert:
    """A target and what the audits say of it: `held` when the whole interval lies on or above the line, `missed` when
    the whole of it lies below, `open` when the line lies inside, `unknown` without audited cases."""

    target: Target
    figure: Figure | None
    standing: Standing

    @property
    def message(self) -> str:
        """What stands where, in one line without any text of a message."""
        audited = self.figure.audited if self.figure else None
        if audited is None:
            return f"{self.target.measure}: no audited cases; draw an audit"
        return f"{self.target.measure}: {audited} against {self.target.line:.2f}: {self.standing}"


def check_targets(books: Books, targets: Sequence[Target] = TARGETS) -> list[Alert]:
    """How each target stands in a period."""
    alerts = []
    for target in targets:
        figures = books.figures((ALL,), (target.measure,))
        figure = figures[0] if figures else None
        audited = figure.audited if figure else None
        standing: Standing = "unknown"
        if audited is not None:
            standing = (
                "held" if audited.low >= target.line else "missed" if audited.high < target.line else "open"
            )
        alerts.append(Alert(target, figure, standing))
    return alerts


def raise_alerts(alerts: Iterable[Alert], webhook: str | None = None) -> list[Alert]:
    """Log every missed target as a warning and post it to a webhook; returns the missed ones.

    A webhook that cannot be reached is logged as an error and stops nothing.
    """
    missed = [alert for alert in alerts if alert.standing == "missed"]
    for alert in missed:
        _log.warning("accuracy target missed: %s", alert.message)
    if missed and webhook:
        _post(webhook, missed)
    return missed


def _post(webhook: str, missed: Sequence[Alert]) -> None:
    import httpx

    content = {
        "event": "zhixu.accuracy.missed",
        "alerts": [
            {
                "measure": alert.target.measure,
                "target": alert.target.line,
                "value": alert.figure.audited.value,
                "low": alert.figure.audited.low,
                "high": alert.figure.audited.high,
                "cases": alert.figure.n_audited,
            }
            for alert in missed
            if alert.figure and alert.figure.audited
        ],
    }
    try:
        httpx.post(webhook, json=content, timeout=10.0).raise_for_status()
    except httpx.HTTPError as error:
        _log.error("the accuracy webhook did not take the alert: %s", type(error).__name__)


def write_metrics(path: Path, alerts: Iterable[Alert]) -> None:
    """Write the figures as a Prometheus text file, for a node exporter's textfile collector."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()
    value = Gauge("zhixu_accuracy", "Audited accuracy, 0 to 1", ["measure", "bound"], registry=registry)
    target = Gauge("zhixu_accuracy_target", "The line it is held to", ["measure"], registry=registry)
    missed = Gauge("zhixu_accuracy_missed", "1 where the interval is below", ["measure"], registry=registry)
    for alert in alerts:
        name = alert.target.measure
        target.labels(name).set(alert.target.line)
        missed.labels(name).set(alert.standing == "missed")
        if alert.figure and (audited := alert.figure.audited):
            for bound in ("value", "low", "high"):
                value.labels(name, bound).set(getattr(audited, bound))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(path), registry)

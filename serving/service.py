"""The service: the collaborators that every route works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

from fastapi import Depends, Request

from evaluation.ledger import Ledger
from evaluation.privacy import Pseudonyms
from serving.access import Gate
from serving.answering import Answering
from serving.metrics import Metrics
from serving.problems import ProblemError
from serving.settings import Settings
from serving.swap import Swap


@dataclass
class Service:
    """Settings, the engine and its exchange, the ledger, the gate and the metrics of one application."""

    settings: Settings
    swap: Swap
    ledger: Ledger | None
    gate: Gate
    metrics: Metrics
    answering: Answering
    draining: bool = field(default=False)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """The keyed hashes; the secret is read, or made, when it is first needed."""
        return Pseudonyms.load(self.settings.secret)

    @property
    def books(self) -> Ledger:
        """The ledger. Raises ProblemError where the service runs without one."""
        if self.ledger is None:
            raise ProblemError(
                501,
                "no-ledger",
                "No ledger",
                "本服务未设记录库 · this service runs without a ledger; set ZHIXU_LEDGER",
            )
        return self.ledger


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(_service)]

"""Access: who may call what. Without any key in the ledger only this machine itself is answered."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request

from evaluation.keys import ADMIN, ANALYST, CLASSIFY, FEEDBACK, SCOPES, HeldKey, KeyRing
from evaluation.ledger import Ledger
from serving.problems import ProblemError

_RELOAD_SECONDS = 1.0


class Gate:
    """Lets callers in by their keys; the keys are read from the ledger anew every few seconds."""

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger
        self._ring = KeyRing({}) if ledger is None else KeyRing.load(ledger)
        self._read_at = time.monotonic()

    @property
    def open(self) -> bool:
        """Whether there is no key at all, so that this machine itself may call freely."""
        return not self._ring.keys

    def refresh(self) -> None:
        """Read the keys anew. Raises SQLAlchemyError; then the old ones stay."""
        if self._ledger is not None:
            self._ring, self._read_at = KeyRing.load(self._ledger), time.monotonic()

    async def admit(self, request: Request, scope: str) -> HeldKey:
        """The key of a caller who may do what `scope` allows. Raises ProblemError 401 or 403."""
        kind, _, presented = request.headers.get("authorization", "").partition(" ")
        if self.open and not presented:
            return _this_machine(request)
        if kind.lower() != "bearer" or not presented:
            raise _unauthorized("缺少密钥 · no key; send `Authorization: Bearer zx_…`")
        key = self._ring.find(presented, datetime.now(UTC))
        if key is None and time.monotonic() - self._read_at > _RELOAD_SECONDS:
            await asyncio.to_thread(self.refresh)
            key = self._ring.find(presented, datetime.now(UTC))
        if key is None:
            raise _unauthorized(
                "密钥无效、过期或已吊销 · the key is unknown, expired or revoked; ask for a new one"
            )
        if not key.grants(scope):
            raise ProblemError(
                403,
                "scope-missing",
                "Scope missing",
                f"密钥没有 {scope} 权限 · the key does not grant {scope}; ask an administrator",
            )
        return key


def _this_machine(request: Request) -> HeldKey:
    """A caller on this machine; a peer without an IP address (a Unix socket, the same process) is on it too."""
    host = request.client.host if request.client else ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = True
    if not local:
        raise _unauthorized(
            "尚未建立密钥，只答复本机 · no keys exist yet and only this machine is answered; "
            "create one with `zhixu keys create`"
        )
    return HeldKey("local", "local", "", SCOPES, datetime.min.replace(tzinfo=UTC))


def _unauthorized(detail: str) -> ProblemError:
    return ProblemError(401, "key-needed", "Key needed", detail, {"WWW-Authenticate": "Bearer"})


def allowed_to(scope: str) -> Callable[[Request], Coroutine[Any, Any, HeldKey]]:
    """A dependency that admits callers who may do what `scope` allows."""

    async def admit(request: Request) -> HeldKey:
        gate: Gate = request.app.state.service.gate
        return await gate.admit(request, scope)

    return admit


Classifier = Annotated[HeldKey, Depends(allowed_to(CLASSIFY))]
Teller = Annotated[HeldKey, Depends(allowed_to(FEEDBACK))]
Analyst = Annotated[HeldKey, Depends(allowed_to(ANALYST))]
Admin = Annotated[HeldKey, Depends(allowed_to(ADMIN))]

"""Models: which one answers, which could, and the exchange."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from evaluation.tables import Activation
from models.artifact import MANIFEST, ArtifactError
from serving.access import Admin, Classifier
from serving.conditional import conditional
from serving.paging import Cursor, Limit, from_cursor, to_cursor
from serving.problems import ProblemError
from serving.service import Service, Serving
from serving.shapes import ActivationAnswer, ActivationBody, ActivationEntry, ModelEntry, ModelList

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", summary="模型 · the model that answers and those that could", response_model=ModelList)
async def list_models(
    request: Request, service: Serving, _caller: Classifier, cursor: Cursor = None, limit: Limit = 20
) -> Response:
    """当前模型、可启用的模型与启用记录（新的在前，分页）。"""
    engine = service.swap.engine
    place = from_cursor(cursor, int)
    entries, available = await asyncio.to_thread(_log_and_models, service, place, limit)
    answer = ModelList(
        current=engine.identifier.version,
        reference=engine.reference,
        taxonomy=engine.identifier.taxonomy.version,
        catalogue=engine.matcher.version,
        available=available,
        activations=entries,
        next=to_cursor(entries[-1].id) if len(entries) == limit else None,
    )
    return conditional(request, answer)


@router.post("/activate", summary="启用模型 · let another model answer")
async def activate(body: ActivationBody, service: Serving, caller: Admin) -> ActivationAnswer:
    """先在旁加载、预热并通过黄金样例，再切换；不合格则原模型继续答复。重启后以 ZHIXU_MODEL 为准。"""
    before = service.swap.engine.identifier.version
    reference = _reference(service, body.model)
    reason = body.reason or "API"
    try:
        golden = await asyncio.to_thread(service.swap.activate, reference, caller.owner, reason)
    except FileNotFoundError:
        raise ProblemError(
            404, "model-unknown", "Model unknown",
            "没有此模型，原模型继续答复 · no such model; see GET /v1/models for those that may be activated",
        ) from None  # fmt: skip
    except (ArtifactError, ValueError, OSError) as error:
        raise ProblemError(
            422,
            "model-refused",
            "Model refused",
            f"原模型继续答复 · the old model goes on answering: {error}",
        ) from None
    now = service.swap.engine.identifier
    return ActivationAnswer(
        model=now.version,
        previous=before,
        taxonomy=now.taxonomy.version,
        golden_right=golden.right,
        golden_total=golden.total,
    )


def _reference(service: Service, name: str) -> str | Path:
    """A folder of ZHIXU_MODELS, the model the service was started with, or a registry alias; no other path."""
    folder = service.settings.models
    if folder is not None and name in _names(folder):
        return folder / name
    if name in ("default", service.settings.model):
        return name
    if "/" in name or "\\" in name or name.startswith(".") or Path(name).exists():
        raise ProblemError(
            422,
            "model-refused",
            "Model refused",
            "body.model: 给模型名或别名，不给路径 · give a name or an alias, not a path; put models into ZHIXU_MODELS",
        )
    return name


def _names(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))


def _log_and_models(
    service: Service, place: tuple[int] | None, limit: int
) -> tuple[list[ActivationEntry], list[ModelEntry]]:
    available = []
    folder = service.settings.models
    for name in _names(folder) if folder else []:
        try:
            manifest = json.loads((folder / name / MANIFEST).read_bytes())  # type: ignore[operator]
            available.append(
                ModelEntry(name=name, version=manifest["version"], facts=manifest.get("facts", {}))
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    entries = []
    if service.ledger is not None:
        query = select(Activation).order_by(Activation.id.desc()).limit(limit)
        if place is not None:
            query = query.where(Activation.id < place[0])
        with service.ledger.session() as session:
            entries = [
                ActivationEntry(
                    id=one.id,
                    activated_at=one.activated_at,
                    subject=one.subject,
                    version=one.version,
                    previous=one.previous,
                    actor=one.actor,
                    reason=one.reason,
                )
                for one in session.scalars(query)
            ]
    return entries, available

"""The description of the API (OpenAPI 3.1), with what every operation shares: keys and problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving.problems import PROBLEM, Problem

_EVERYWHERE = {
    "401": "缺少或无效的密钥 · no valid key",
    "403": "密钥没有此权限 · the key does not grant this",
    "408": "正文传输中断 · the body stopped arriving",
    "413": "正文过大 · the body is too large",
    "422": "请求有误 · something in the request is wrong",
    "429": "排队已满 · too much waits",
    "500": "内部错误 · an error nobody expected",
    "501": "未设记录库 · not set up here",
    "503": "记录库不可用或正在停机 · the ledger cannot be reached, or shutting down",
}
_SOME = {
    "304": "未变 · not modified",
    "404": "没有 · no such thing",
    "409": "与已有的冲突 · in conflict with what there is",
    "410": "已删除 · deleted",
    "415": "不认识的文件类型 · a file kind it does not know",
}
_ALSO: dict[tuple[str, str], tuple[str, ...]] = {
    ("/v1/classify", "post"): ("409", "410"),
    ("/v1/classify/batch", "post"): ("409", "410"),
    ("/v1/match", "post"): ("409", "410"),
    ("/v1/feedback", "post"): ("404", "409"),
    ("/v1/matches/{match_id}/outcome", "post"): ("404", "409"),
    ("/v1/resources", "get"): ("304",),
    ("/v1/resources", "post"): ("409",),
    ("/v1/resources/{resource_id}", "get"): ("304", "404"),
    ("/v1/resources/{resource_id}", "delete"): ("404",),
    ("/v1/models", "get"): ("304",),
    ("/v1/models/activate", "post"): ("404",),
    ("/v1/accuracy", "get"): ("304",),
    ("/v1/needs/map", "get"): ("304",),
    ("/v1/jobs", "post"): ("415",),
    ("/v1/jobs/{job_id}", "get"): ("404",),
    ("/v1/jobs/{job_id}/cancel", "post"): ("404", "409"),
    ("/v1/jobs/{job_id}/result", "get"): ("404", "409", "410"),
}
_LINKS: dict[tuple[str, str], tuple[str, dict[str, dict[str, Any]]]] = {
    ("/v1/classify", "post"): (
        "200",
        {
            "tellOutcome": {
                "operationId": "tell_outcome",
                "parameters": {"match_id": "$response.body#/matches/0/match_id"},
            },
            "giveLabel": {
                "operationId": "give_label",
                "requestBody": {
                    "prediction_id": "$response.body#/prediction_id",
                    "domain": "$response.body#/domain",
                },
            },
        },
    ),
    ("/v1/resources", "post"): (
        "201",
        {
            name: {"operationId": name, "parameters": {"resource_id": "$request.body#/id"}}
            for name in ("get_resource", "remove_resource")
        },
    ),
    ("/v1/jobs", "post"): (
        "202",
        {
            name: {"operationId": name, "parameters": {"job_id": "$response.body#/id"}}
            for name in ("job", "cancel", "result")
        },
    ),
}
_FREE = ("/healthz", "/readyz", "/metrics")


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of an application, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(name, None)
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                _add_shared(path, method, operation)
        app.openapi_schema = schema
    return app.openapi_schema


def _add_shared(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    for status in ("500", "503") if path in _FREE else _EVERYWHERE:
        responses[status] = _problem(_EVERYWHERE[status])
    for status in _ALSO.get((path, method), ()):
        responses[status] = {"description": _SOME[status]} if status == "304" else _problem(_SOME[status])
    if (path, method) in _LINKS:
        status, links = _LINKS[path, method]
        responses[status]["links"] = links
    if path not in _FREE:
        operation["security"] = [{"key": []}, {}]


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {PROBLEM: {"schema": schema}}}


def to_text(schema: dict[str, Any]) -> str:
    """The description as the text of `openapi.json`."""
    return json.dumps(schema, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def write(path: str) -> None:
    """Write the description of the shipped application to a file."""
    from matching.catalogue import Catalogue
    from matching.matcher import Matcher
    from models.identifier import Identifier
    from serving.app import create_app
    from serving.settings import Settings

    identifier = Identifier.load()
    app = create_app(Settings(ledger="none"), identifier, Matcher(identifier, Catalogue(())), None)
    Path(path).write_text(to_text(describe(app)), "utf-8")

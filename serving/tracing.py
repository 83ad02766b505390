"""Traces by OpenTelemetry, where the deployment names a collector in `OTEL_EXPORTER_OTLP_ENDPOINT`.

Spans carry method, route, status and times; neither headers nor bodies, and of addresses only the path.
"""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI

from nlp.extras import require

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_UNTRACED = "healthz,readyz,metrics"


def trace(app: FastAPI, exporter: Any = None) -> bool:
    """Send a span for each request to the collector, or to `exporter`; False where neither is there.

    Raises MissingExtraError where a collector is named but the extra `otel` is not installed.
    """
    if exporter is None and not any(os.environ.get(name) for name in _ENDPOINTS):
        return False
    sdk = require("opentelemetry.sdk.trace", "otel")
    exporting = require("opentelemetry.sdk.trace.export", "otel")
    resources = require("opentelemetry.sdk.resources", "otel")
    asgi = require("opentelemetry.instrumentation.asgi", "otel")
    http = require("opentelemetry.util.http", "otel")
    if exporter is None:
        exporter = require("opentelemetry.exporter.otlp.proto.http.trace_exporter", "otel").OTLPSpanExporter()
    named = resources.Resource.create(
        {"service.name": os.environ.get("OTEL_SERVICE_NAME", "zhixu"), "service.version": app.version}
    )
    provider = sdk.TracerProvider(resource=named)
    provider.add_span_processor(exporting.BatchSpanProcessor(exporter))
    app.add_middleware(
        asgi.OpenTelemetryMiddleware,
        tracer_provider=provider,
        excluded_urls=http.parse_excluded_urls(_UNTRACED),
        exclude_spans=["receive", "send"],
    )
    app.state.traces = provider
    return True

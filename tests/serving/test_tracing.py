import pytest
from fastapi.testclient import TestClient

from serving.tracing import trace

SECRET = "青石巷口路灯"


def test_spans_are_sent_where_a_collector_is_named_and_hold_no_text(make_app, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("opentelemetry.sdk", reason="needs the extra otel")
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    app, exporter = make_app(), InMemorySpanExporter()
    assert not trace(app)
    assert trace(app, exporter)
    with TestClient(app) as client:
        client.post("/v1/classify", json={"text": SECRET}, headers={"Authorization": ""})
        client.get("/healthz")
        app.state.traces.force_flush()
        spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["POST /v1/classify"]
    assert SECRET not in str([span.to_json() for span in spans])

"""The whole API against its own description: no 5xx, no answer the description does not promise."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import SkipTest

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# Left out: checks that take the description for a complete grammar. A source must stand in the taxonomy, and lists
# may be written as in a spreadsheet cell, which JSON Schema does not say.
CHECKS: Any = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
)
QUIET = [
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.function_scoped_fixture,
    HealthCheck.data_too_large,
]


@pytest.fixture
def app(make_app: Any) -> Iterator[FastAPI]:
    app = make_app()
    with TestClient(app):
        yield app


@pytest.fixture
def api(app: FastAPI) -> Any:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    schema.config.generation.update(allow_x00=True)
    return schema


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_keeps_its_promises(api: Any, mode: GenerationMode) -> None:
    for found in api.get_all_operations():
        try:
            strategy = found.ok().as_strategy(generation_mode=mode)

            @given(case=strategy)
            @settings(max_examples=12, deadline=None, suppress_health_check=QUIET)
            def check(case: Any) -> None:
                case.call_and_validate(checks=CHECKS)

            check()
        except (SkipTest, Unsatisfiable):  # nothing can be wrong with a request that takes nothing
            assert mode is GenerationMode.NEGATIVE


def test_operations_after_one_another_keep_their_promises(api: Any) -> None:
    class Machine(api.as_state_machine()):  # type: ignore[misc]
        def validate_response(self, response: Any, case: Any, **_more: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    with contextlib.suppress(ConnectionError):
        Machine.run(
            settings=settings(
                max_examples=15, stateful_step_count=6, deadline=None, suppress_health_check=QUIET
            )
        )

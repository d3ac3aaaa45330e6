"""The OpenAPI description against the gateway itself, with requests that nobody thought of."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from tau.gateway.application import build
from tau.gateway.server_settings import AuthMode
from unit.gateway.gateways import BEARER, filled, settings_in

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> schemathesis.BaseSchema:
    folder: Path = filled(tmp_path_factory.mktemp("openapi"))
    app = build(settings_in(folder, auth=AuthMode.TOKEN, allowed_hosts=("testserver",)))
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=BEARER)


def test_every_answer_is_as_described(description: schemathesis.BaseSchema) -> None:
    results = list(description.get_all_operations())
    operations = [found.ok() for found in results if isinstance(found, Ok)]
    assert len(operations) == len(results) >= 17
    for operation in operations:

        @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def answered(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(
                headers=BEARER,
                checks=[
                    not_a_server_error,
                    status_code_conformance,
                    content_type_conformance,
                    response_schema_conformance,
                ],
            )

        answered()


def test_there_is_a_description(tmp_path: Path) -> None:
    with TestClient(build(settings_in(tmp_path)), base_url="http://127.0.0.1") as found:
        document = found.get("/api/v1/openapi.json", headers=BEARER).json()
    assert len(document["paths"]) >= 17
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert {"400", "401", "403", "429"} <= set(operation["responses"]), path

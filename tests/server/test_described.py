"""The API as it describes itself: nothing that fits the description, and nothing near it, makes it fail (A06)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.runs import config
from tests.server.conftest import TOKEN, MakeStand

from mismartera.server.limits import Limits

_ENOUGH = Limits(requests_burst=1_000_000, requests_per_second=1e6)
_EXAMPLES = 15


def test_a06_nothing_that_is_sent_to_the_described_api_makes_it_fail(stands: MakeStand) -> None:
    stand = stands(config("AAA", streams=("1m", "5m")), limits=_ENOUGH)
    schema = schemathesis.openapi.from_dict(stand.get("/openapi.json"))
    schema.config.update(base_url=stand.server.url)
    tried = []
    for result in schema.get_all_operations():

        def probe(case: schemathesis.Case[Any]) -> None:
            tried.append(case.operation.label)
            reply = case.call(headers={"authorization": f"Bearer {TOKEN}"}, timeout=15)
            case.validate_response(reply, checks=[
                not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
            ])  # fmt: skip

        assert isinstance(result, Ok)
        _examples(result.ok().as_strategy(), probe)
    assert len(set(tried)) == sum(len(kinds) for kinds in stand.get("/openapi.json")["paths"].values())
    assert stand.get("/healthz") == {"status": "ok"}


def _examples(strategy: SearchStrategy[Any], probe: Callable[[Any], None]) -> None:
    settings(
        max_examples=_EXAMPLES,
        deadline=None,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(probe))()


def test_the_description_names_every_operation_and_its_errors(stands: MakeStand) -> None:
    paths = stands(config("AAA")).get("/openapi.json")["paths"]
    assert {"/api/session", "/api/symbols", "/api/bars/{symbol}/{interval}", "/api/events", "/metrics"} <= set(
        paths
    )
    for path, kinds in paths.items():
        for operation in kinds.values():
            assert operation["summary"], path
            assert path == "/healthz" or "401" in operation["responses"]

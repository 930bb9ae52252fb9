"""Schemathesis on one operation of the API: what it answers is documented, and is no fault of the server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from webapp.wsgi import application

POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 20
"""Of each operation, half of them about rows that exist."""


def served(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The application under a server that closes each answer, which Schemathesis does not, and with it the request's files."""
    answer = application(environ, start_response)
    try:
        return list(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()


def operations() -> Iterator[schemathesis.APIOperation]:
    for found in schemathesis.openapi.from_wsgi("/api/v1/openapi.json", served).get_all_operations():
        yield found.ok()


def fuzz(
    operation: schemathesis.APIOperation,
    *,
    secret: str,
    known: Mapping[str, Sequence[Any]],
    around: Any = contextlib.nullcontext,
) -> None:
    """Send requests that fit the document and ones that do not, and check every answer.

    Args:
        known: path parameter -> values that exist.
        around: a context manager made for each request.
    """
    cases = operation.as_strategy(generation_mode=POSITIVE) | operation.as_strategy(generation_mode=NEGATIVE)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=cases, real=st.booleans(), data=st.data())
    def answers(case: schemathesis.Case, real: bool, data: st.DataObject) -> None:
        if real:
            case.path_parameters |= {name: data.draw(st.sampled_from(known[name])) for name in case.path_parameters if name in known}
        with around():
            case.call_and_validate(headers={"Authorization": f"Bearer {secret}"}, checks=CHECKS)

    answers()

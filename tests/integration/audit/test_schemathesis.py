"""Whatever the OpenAPI document allows, and much that it does not, asked by Schemathesis: the service keeps to the document."""

import asyncio
import os
import re
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from .bank import CUSTOMER
from .test_erasing import give_key
from .test_openapi import ONE_PLACE, known, query
from .world import World

EXAMPLES = 40 if os.environ.get("REQUIRE_ALL") == "1" else 4
"""For each operation, whoever asks."""
NOBODY = "nobody"
OFFICERS = "of-the-privacy-officer"
"""A customer whom nothing else here needs."""


def callers(world: World) -> dict[str, dict[str, str]]:
    """Return the headers of everybody who may come, by the scope of their token."""
    scoped = {scope: world.bearer(scope, CUSTOMER if scope == "customer" else None) for scope in SCOPES}
    return {**scoped, NOBODY: {}}


SCOPES = ("auditor", "privacy", "customer")


def entitled(operation: Any) -> set[str]:
    """Return who is answered by an operation, as the document says it."""
    needs = operation.definition.raw.get("security", [{}])
    return {*SCOPES, NOBODY} if {} in needs else {need["oidc"][0].removeprefix("tallystick:") for need in needs}


def sound(operation: Any) -> Any:
    """Return the request for something that there is."""
    path = operation.path
    there = {**known(), "customer_id": OFFICERS}
    parameters = {name: there[name] for name in re.findall(r"{(\w+)}", path)}
    body = {"body": ONE_PLACE, "media_type": "application/json"} if path == "/v1/receipts" else {}
    return operation.Case(path_parameters=parameters, query=query(path), **body)


def ask_soundly(operation: Any, headers: Mapping[str, Mapping[str, str]]) -> None:
    """Ask as everybody for what there is: who is entitled gets it, as the document describes it, and nobody else anything."""
    for who in headers:
        answer = sound(operation).call_and_validate(headers=headers[who], timeout=30)
        allowed = who in entitled(operation)
        assert answer.status_code == 200 if allowed else answer.status_code in {401, 403}, (operation.label, who)


def ask_anything(operation: Any, headers: Mapping[str, Mapping[str, str]]) -> None:
    """Ask for whatever Schemathesis makes up, mostly as somebody whose request is looked at at all."""
    welcome = sorted(entitled(operation))
    # That one parameter must be less than another, a schema cannot say.
    said_in_words = [positive_data_acceptance] if operation.path == "/v1/decisions" else []

    @given(case=operation.as_strategy(), who=st.sampled_from([*welcome, *welcome, *headers]))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any, who: str) -> None:
        case.call_and_validate(headers=headers[who], timeout=30, excluded_checks=said_in_words)

    ask()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own, about libraries that it uses
def test_the_service_keeps_to_its_document(world: World) -> None:
    """No server error, no undeclared status, media type or body; what is not valid is refused, and what needs a token too."""
    asyncio.run(give_key(world, OFFICERS))
    headers = callers(world)
    with httpx.Client(base_url=world.url, headers=headers["auditor"]) as auditor:
        auditor.get("/v1/evidence/0/0?disclose=features")  # which leaves a record of it
        deadline = time.monotonic() + 60
        while auditor.get("/v1/accesses/0").status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
    asked = 0
    for found in schemathesis.openapi.from_url(f"{world.url}/openapi.json").get_all_operations():
        assert isinstance(found, Ok)
        ask_soundly(found.ok(), headers)
        ask_anything(found.ok(), headers)
        asked += 1
    assert asked == 38

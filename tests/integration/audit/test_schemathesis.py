"""Whatever the OpenAPI document allows, and much that it does not, asked by Schemathesis: the service keeps to the document."""

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok

from .world import World

EXAMPLES = 40 if os.environ.get("REQUIRE_ALL") == "1" else 4
"""For each operation."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own, about libraries that it uses
def test_the_service_keeps_to_its_document(world: World) -> None:
    """No server error, no undeclared status, media type or body; what is not valid is refused, and what needs a token too."""
    schema = schemathesis.openapi.from_url(f"{world.url}/openapi.json")
    asked = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            case.call_and_validate(headers=world.bearer(), timeout=30)

        ask()
        asked += 1
    assert asked == 38

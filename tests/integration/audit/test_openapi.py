"""The OpenAPI document says all that the service does, with examples."""

import hashlib
import time
from typing import Any

import httpx
import pytest

from tallystick.audit.api.patterns import WORDS

from .bank import MODEL_FILE
from .world import PUBLISHED


@pytest.fixture(scope="package")
def document(client: httpx.Client) -> dict[str, Any]:
    """Read the document as it is served."""
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    read: dict[str, Any] = answer.json()
    return read


ONE_PLACE = {"places": [{"partition": 0, "sequence": 0}]}
PRIVACY = [{"oidc": ["tallystick:privacy"]}]


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """List (path, operation)."""
    return [(path, operation) for path, item in document["paths"].items() for operation in item.values()]


def test_every_operation_has_an_example(document: dict[str, Any]) -> None:
    """Every operation shows a good answer and every error it may give, and says in words what it does."""
    assert len(operations(document)) == 38
    for path, operation in operations(document):
        assert operation["description"], path
        for status, response in operation["responses"].items():
            assert response["description"], (path, status)
            for content in response.get("content", {}).values():
                assert content.get("example") or content.get("examples"), (path, status)
            assert status == "304" or response["content"], (path, status)


def test_every_parameter_has_an_example(document: dict[str, Any]) -> None:
    """Every parameter is described, bounded and shown."""
    for path, operation in operations(document):
        for parameter in operation.get("parameters", []):
            schema = parameter["schema"]
            assert parameter["description"], path
            bounds = [schema, *schema.get("anyOf", [])]
            assert any({"maxLength", "maximum", "enum", "const"} & set(bound) for bound in bounds), (path, parameter["name"])
            assert "examples" in schema or "examples" in parameter, (path, parameter["name"])


def test_every_pattern_has_words(document: dict[str, Any]) -> None:
    """Whoever sends something else is told in words what it may be."""
    told = set()
    for _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            told |= {
                shape["pattern"] for shape in (parameter["schema"], *parameter["schema"].get("anyOf", [])) if "pattern" in shape
            }
    assert told == set(WORDS)


def test_errors_are_problem_details(document: dict[str, Any]) -> None:
    """Every declared error is a problem; the framework's own shape of error is nowhere."""
    for path, operation in operations(document):
        errors = {status: response for status, response in operation["responses"].items() if status >= "400"}
        assert {"422", "500"} <= set(errors), path
        for response in errors.values():
            assert set(response["content"]) == {"application/problem+json"}, path
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_operation_names_are_unique(document: dict[str, Any]) -> None:
    """Clients can be generated: operation ids are there and differ."""
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)


def test_what_needs_a_token_says_so(document: dict[str, Any]) -> None:
    """Operations name the scheme, always or for a part of their answers, and the problems of a request without it."""
    guarded = {path: operation["security"] for path, operation in operations(document) if "security" in operation}
    always = [{"oidc": ["tallystick:auditor"]}]
    own = [{"oidc": ["tallystick:customer"]}, *always]
    sometimes: list[dict[str, list[str]]] = [{}, *always]
    assert guarded == {
        **{f"/v1/decisions/{{transaction_id}}{form}": own for form in ("", "/bundle", "/tlog-proof", "/receipt", "/entry")},
        "/v1/positions/{partition}/{sequence}": always,
        "/v1/positions/{partition}/{sequence}/bundle": always,
        "/v1/positions/{partition}/{sequence}/tlog-proof": always,
        "/v1/positions/{partition}/{sequence}/receipt": always,
        "/v1/positions/{partition}/{sequence}/entry": always,
        "/v1/evidence/{partition}/{first}": always,
        "/v1/decisions": always,
        "/v1/receipts": always,
        "/v1/accesses/{batch}": [*always, {"oidc": ["tallystick:privacy"]}],
        "/v1/models/{digest}": always,
        "/v1/customers/{customer_id}": PRIVACY,
        "/v1/holds/{customer_id}": PRIVACY,
        "/decisions/tile/{tile}": sometimes,
        "/fallbacks/tile/{tile}": sometimes,
    }
    scheme = document["components"]["securitySchemes"]["oidc"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for path, operation in operations(document):
        if path in guarded:
            assert {"401", "403"} <= set(operation["responses"]), path


def test_what_the_document_calls_open_is_open(document: dict[str, Any], client: httpx.Client) -> None:
    """Whatever does not always need a token answers without one, and whatever does, does not."""
    for path, operation in operations(document):
        answer = ask(client, path)
        assert answer.status_code == (200 if {} in operation.get("security", [{}]) else 401), path


def ask(caller: httpx.Client, path: str) -> httpx.Response:
    """Ask an operation for something that there is."""
    if path == "/v1/receipts":
        return caller.post(path, json=ONE_PLACE)
    return caller.get(path.format(**known()), params=query(path))


def query(path: str) -> dict[str, str | int]:
    """Return what operations must be asked with."""
    wanted: dict[str, str | int] = {"first": 1} if "consistency" in path else {"index": 0} if "inclusion" in path else {}
    return wanted | ({"disclose": "features"} if "/evidence/" in path else {})


def known() -> dict[str, str | int]:
    """Return the parts of addresses of what there is."""
    return {
        "transaction_id": "tx-plain",
        "partition": 0,
        "sequence": 0,
        "first": 0,
        "batch": 0,
        "customer_id": "c-1",
        "log": "decisions",
        "digest": hashlib.sha256(MODEL_FILE).hexdigest(),
        "file": "log.policy",
        "tile": "0/000.p/3",
        "size": PUBLISHED,
    }


def test_every_operation_answers(document: dict[str, Any], auditor: httpx.Client) -> None:
    """No operation is declared that is not there."""
    assert auditor.get("/v1/evidence/0/0?disclose=features").status_code == 200  # which leaves a record of it
    deadline = time.monotonic() + 60
    while auditor.get("/v1/accesses/0").status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    for path, operation in operations(document):
        if operation.get("security") == PRIVACY:
            continue  # `test_erasing` asks these
        answer = ask(auditor, path)
        assert answer.status_code == 200, (path, answer.text)

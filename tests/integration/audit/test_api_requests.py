"""How a request is written: what one that cannot be read is told, and HEAD."""

import hashlib

import httpx
import pytest

from .bank import MODEL_FILE
from .test_api import problem

ONE = '{"places": [{"partition": 0, "sequence": 0}]}'
BODIES: dict[str, tuple[str | bytes, str, str]] = {
    "nested too deeply": ("[" * 100_000, "application/json", "The JSON is nested too deeply."),
    "a number too long": ('{"places": ' + "9" * 5_000 + "}", "application/json", "A number in the JSON has too many digits."),
    "not UTF-8": (b'{"places": "\xff\xfe"}', "application/json", "The body is not UTF-8."),
    "not JSON": ('{"places":\n  [1 2]}', "application/json", "This is not JSON, at line 2, column 6: Expecting ',' delimiter."),
    "empty JSON": (" ", "application/json", "This is not JSON, at line 1, column 2: Expecting value."),
    "a form": (ONE, "application/x-www-form-urlencoded", "The body must be JSON, and Content-Type must be application/json."),
    "nothing said": (ONE, "", "The body must be JSON, and Content-Type must be application/json."),
}


@pytest.mark.parametrize(("content", "media_type", "detail"), BODIES.values(), ids=BODIES)
def test_a_body_that_is_none(auditor: httpx.Client, content: str | bytes, media_type: str, detail: str) -> None:
    """Whatever keeps it from being read, the answer is a declared problem that says what to change."""
    headers = {"Content-Type": media_type} if media_type else {}
    answer = auditor.post("/v1/receipts", content=content, headers=headers)
    assert problem(answer, 422, "invalid-request")["errors"] == [{"location": "body", "detail": detail}]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/decisions/a%20b", "visible ASCII"),
        ("/v1/decisions/tx-plain/bundle?disclose=everything", "one or more of identity, transaction"),
        ("/v1/models/" + "A" * 64, "64 digits of lower-case hex"),
        ("/v1/logs/Other/consistency?first=1", "a log's name"),
        ("/v1/decisions?cursor=" + "!" * 27, "what a page before had"),
    ],
)
def test_what_a_parameter_may_be_is_said_in_words(auditor: httpx.Client, path: str, words: str) -> None:
    """Nobody has to read a pattern."""
    [error] = problem(auditor.get(path), 422, "invalid-request")["errors"]
    assert words in error["detail"]
    assert "^" not in error["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/decisions/checkpoint", 200),
        ("/decisions/tile/0/000", 200),
        ("/decisions/tile/entries/002.p/88", 200),
        ("/decisions/tile/0/003", 404),
        (f"/v1/models/{hashlib.sha256(MODEL_FILE).hexdigest()}", 200),
        ("/v1/trust-policy/log.policy", 200),
        ("/v1/decisions/tx-plain/bundle", 200),
        ("/v1/receipts", 405),
        ("/console/verifier.html", 200),
    ],
)
def test_head(auditor: httpx.Client, path: str, status: int) -> None:
    """What a GET would say of the answer, without the answer."""
    head, get = auditor.head(path), auditor.get(path)
    assert (head.status_code, head.content) == (status, b"")
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}
    assert head.headers["content-length"] or get.headers["content-encoding"]

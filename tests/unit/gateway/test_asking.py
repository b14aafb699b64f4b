"""What a request asks for, and how it is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers

from tallystick.contracts import Transaction
from tallystick.gateway.asking import Question, RefusedError, accepted, read
from tallystick.gateway.settings import GatewaySettings

KEY = {"idempotency-key": '"k"'}
JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}
FIELDS: dict[str, Any] = {"customerId": "c", "amountMinor": "1234", "currency": "EUR", "eventTimeMs": "1700000000000"}
MESSAGE = Transaction(customer_id="c", amount_minor=1234, currency="EUR", event_time_ms=1_700_000_000_000)


@pytest.fixture
def settings(tmp_path: Path) -> GatewaySettings:
    """Return settings with their defaults."""
    (tmp_path / "callers").write_text("cards token-of-the-cards-channel\n")
    return GatewaySettings(trust_policy=tmp_path, spool_dir=tmp_path / "spool", callers_file=tmp_path / "callers")


def ask(settings: GatewaySettings, headers: dict[str, str], body: bytes | dict[str, Any] = FIELDS) -> Question:
    """Read a request."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read(Headers(headers), data, "cards", settings)


def test_json_and_protobuf_are_one_request(settings: GatewaySettings) -> None:
    """In either form the key makes the same id, and the fingerprints agree: a caller may retry in the other."""
    (one,), (other,) = (
        ask(settings, JSON | KEY).asked,
        ask(settings, {"content-type": "application/protobuf"} | KEY, MESSAGE.SerializeToString()).asked,
    )
    assert one == other
    assert one.transaction.transaction_id.startswith("gw-")
    assert one.deadline_s == 1.0


def test_the_caller_s_own_transaction_id_is_a_key_too(settings: GatewaySettings) -> None:
    """Without the header; with both nobody could say which counts."""
    (asked,) = ask(settings, JSON, FIELDS | {"transactionId": "t-1"}).asked
    assert asked.transaction.transaction_id == "t-1"
    with pytest.raises(RefusedError) as both:
        ask(settings, JSON | KEY, FIELDS | {"transactionId": "t-1"})
    with pytest.raises(RefusedError) as neither:
        ask(settings, JSON)
    assert (both.value.kind.status, neither.value.kind.status) == (400, 400)


@pytest.mark.parametrize(
    ("headers", "body", "status", "name"),
    [
        (KEY, FIELDS, 415, "unsupported-media-type"),
        (KEY | {"content-type": "text/plain"}, FIELDS, 415, "unsupported-media-type"),
        (KEY | JSON | {"content-encoding": "gzip"}, FIELDS, 415, "unsupported-media-type"),
        (KEY | {"content-type": "application/json; charset=latin-1"}, FIELDS, 415, "unsupported-media-type"),
        (KEY | JSON | {"accept": "text/html"}, FIELDS, 406, "not-acceptable"),
        (KEY | JSON, b"{", 400, "malformed-request"),
        (KEY | JSON, b"\xff", 400, "malformed-request"),
        (KEY | JSON, b"[]", 400, "malformed-request"),
        (KEY | JSON, b"[" * 100_000, 400, "malformed-request"),
        (KEY | JSON, FIELDS | {"amount": 1}, 400, "malformed-request"),
        (KEY | JSON, b'{"customerId":"a","customerId":"b"}', 400, "malformed-request"),
        (KEY | PROTOBUF, b"\x0a\xff", 400, "malformed-request"),
        ({"idempotency-key": '""'} | JSON, FIELDS, 400, "malformed-request"),
        (KEY | JSON, FIELDS | {"amountMinor": "-1"}, 422, "invalid-request"),
        (KEY | JSON, FIELDS | {"amountMinor": "NaN"}, 422, "invalid-request"),
        (KEY | JSON, FIELDS | {"currency": "EURO"}, 422, "invalid-request"),
        (KEY | JSON, FIELDS | {"customerId": "é"}, 422, "invalid-request"),
        (KEY | JSON, {**FIELDS, "customerId": ""}, 422, "invalid-request"),
        (KEY | JSON | {"tallystick-deadline-ms": "19"}, FIELDS, 400, "malformed-request"),
        (KEY | JSON | {"tallystick-deadline-ms": "10001"}, FIELDS, 400, "malformed-request"),
        (KEY | JSON | {"tallystick-deadline-ms": "1e3"}, FIELDS, 400, "malformed-request"),
        (KEY | JSON | {"tallystick-deadline-ms": "²00"}, FIELDS, 400, "malformed-request"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_anything_is_sent(
    settings: GatewaySettings, headers: dict[str, str], body: bytes | dict[str, Any], status: int, name: str
) -> None:
    """Each with its status and kind; nothing of the body is in the words."""
    with pytest.raises(RefusedError) as refused:
        ask(settings, headers, body)
    assert (refused.value.kind.status, refused.value.kind.name) == (status, name)


def test_two_keys_are_none(settings: GatewaySettings) -> None:
    """A header that is there twice could be read in two ways."""
    headers = Headers(raw=[(b"idempotency-key", b'"a"'), (b"idempotency-key", b'"b"'), (b"content-type", b"application/json")])
    with pytest.raises(RefusedError) as refused:
        read(headers, json.dumps(FIELDS).encode(), "cards", settings)
    assert refused.value.kind.status == 400


def test_a_deadline_within_bounds_is_the_request_s(settings: GatewaySettings) -> None:
    """In milliseconds."""
    (asked,) = ask(settings, JSON | KEY | {"tallystick-deadline-ms": "250"}).asked
    assert asked.deadline_s == 0.25


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/x-protobuf", "application/x-protobuf"),
        ("application/protobuf", "application/x-protobuf"),
        ("application/json;q=0.5, application/x-protobuf", "application/x-protobuf"),
        ("application/x-protobuf;q=0, */*", "application/json"),
        ("text/html, application/*;q=0.1", "application/json"),
    ],
)
def test_the_answer_s_form_is_what_the_caller_prefers(accept: str | None, media_type: str) -> None:
    """JSON where it does not care (RFC 9110 §12.5.1)."""
    assert accepted(Headers({} if accept is None else {"accept": accept})) == media_type

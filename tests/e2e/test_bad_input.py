"""Records that cannot be scored, among sound ones, through the whole chain: none stops the stream, each is told apart."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.contracts import Outcome, ReasonCode, Transaction

from .bank import DAY_MS, Sent, now_ms, partition_of, send, sent, sound
from .governing import Release, install
from .reading import Run, read_run
from .starting import running

JSON = (("content-type", b"application/json"),)
INPUT_REASONS_FROM = 20  # the numbers below are why sound input was not approved
ELSEWHERE = {"ATTRIBUTE_MISSING"}  # only a schema with attributes asks for one: test_real_data


def _transaction(**fields: object) -> Transaction:
    """Return a sound transaction with some fields otherwise; None leaves one out."""
    whole: dict[str, object] = {"transaction_id": "t", "customer_id": "someone", "amount_minor": 100, "currency": "EUR"}
    return Transaction(**{name: value for name, value in (whole | fields).items() if value is not None})  # type: ignore[arg-type]  # fields by name


def _json(at_ms: int, text: str = "", **fields: object) -> Sent:
    """Return a transaction as JSON, or `text` instead of it."""
    whole = {"transactionId": "j", "customerId": "someone", "amountMinor": 100, "currency": "EUR", "eventTimeMs": at_ms}
    return Sent((text or json.dumps(whole | fields)).encode(), b"someone", at_ms, JSON)


def _bad(at_ms: int) -> Iterator[tuple[str, Sent]]:
    """Give a record for every way of being rejected, and why it is to be."""
    base = sent(_transaction(), at_ms)
    yield "VALUE_NULL", replace(base, value=None)
    yield "VALUE_NULL", Sent(None, None, at_ms, partition=1)
    yield "RECORD_TOO_LARGE", replace(base, value=b"\x00" * 62_000, headers=(("note", None), ("note", b"\xff")))
    yield "RECORD_TOO_LARGE", replace(base, value=(base.value or b"") * 14_000)
    yield "CONTENT_TYPE_UNKNOWN", replace(base, headers=(("content-type", b"text/plain"),))
    yield "CONTENT_TYPE_UNKNOWN", replace(base, headers=JSON + JSON)
    yield "PROTOBUF_MALFORMED", replace(base, value=b"\xff\xff\xff")
    yield "JSON_MALFORMED", _json(at_ms, "{")
    yield "JSON_MALFORMED", _json(at_ms, colour="red")
    yield "JSON_MALFORMED", _json(at_ms, '{"currency": "EUR", "currency": "EUR"}')
    yield "FIELD_MISSING", replace(base, value=b"")
    yield "FIELD_MISSING", sent(_transaction(amount_minor=None), at_ms)
    yield "FIELD_TOO_LARGE", sent(_transaction(terminal_id="t" * 65), at_ms)
    yield "FIELD_TOO_LARGE", sent(_transaction(attributes={str(number): 1.0 for number in range(257)}), at_ms)
    yield "FIELD_CHARACTERS", sent(_transaction(transaction_id="t\n"), at_ms)
    yield "AMOUNT_NEGATIVE", sent(_transaction(amount_minor=-1), at_ms)
    yield "AMOUNT_NOT_FINITE", _json(at_ms, amountMinor="NaN")
    yield "AMOUNT_NOT_FINITE", _json(at_ms, amountMinor=float("inf"))
    yield "AMOUNT_TOO_LARGE", sent(_transaction(amount_minor=10**12 + 1), at_ms)
    yield "CURRENCY_UNKNOWN", sent(_transaction(currency="EUX"), at_ms)
    yield "EVENT_TIME_SKEWED", replace(base, timestamp_ms=at_ms + DAY_MS)
    yield "KEY_MISMATCH", replace(base, key=b"somebody else")
    yield "KEY_MISMATCH", replace(base, key=None, partition=2)
    yield "PARTITION_MISMATCH", replace(base, partition=(partition_of(b"someone") + 1) % 4)
    yield "ATTRIBUTE_NOT_FINITE", sent(_transaction(attributes={"V1": float("nan")}), at_ms)


def test_every_kind_of_bad_record_is_rejected_logged_and_kept(platform: Platform) -> None:
    """Each gets a REJECTED decision with its reason, in the log; its bytes, key and headers lie untouched in dead-letter.

    The sound transactions between them are scored as ever.
    """
    at_ms = now_ms()
    bad = list(_bad(at_ms))
    bad += [("", sound("repeated", at_ms)), ("TRANSACTION_REPEATED", sound("repeated", at_ms + 1))]
    mixed = []
    for number, (_, record) in enumerate(bad):
        mixed += [sound(f"sound-{number}", at_ms), record]
    asyncio.run(send(platform.kafka, mixed))

    run = read_run(platform)
    covered = {reason for reason, _ in bad if reason} | ELSEWHERE | {"NO_ACTIVE_MODEL"}
    reasons = [name for name, number in ReasonCode.items() if number >= INPUT_REASONS_FROM]
    assert covered == {name.removeprefix("REASON_CODE_") for name in reasons}
    assert len(run.of("sound")) == len(bad)
    for reason, record in bad:
        place = _place(run, record)
        if reason:
            assert run.decisions[place].outcome == Outcome.OUTCOME_REJECTED
            assert run.reason(place) == reason
            _check_letter(run, place, reason, record)
    letters = sum(map(len, run.records["dead-letter"].values()))
    assert letters == sum(item.outcome == Outcome.OUTCOME_REJECTED for item in run.decisions.values())


def test_before_any_activation_nothing_is_scored(tmp_path_factory: pytest.TempPathFactory, release: Release) -> None:
    """A record older than the first activation is rejected for want of a model; the first one that reaches it is scored.

    And before the governance log activates anything, scoring waits: no decision at all.
    """
    at_ms = now_ms()
    with running(tmp_path_factory.mktemp("bare"), None, partitions=1) as bare:
        asyncio.run(send(bare.kafka, [sound("early", at_ms - 2), sound("late", at_ms)]))
        wait_until(
            lambda: "activates no model" in bare.health("scoring")["components"]["governance"], "scoring to read the log"
        )
        assert not bare.health("scoring")["decisions"]
        install(bare, release, effective_at_ms=at_ms - 1)
        run = read_run(bare)
    early, late = run.decisions.values()
    assert run.reason((0, 0)) == "NO_ACTIVE_MODEL"
    assert not early.HasField("activation_index")
    assert late.outcome != Outcome.OUTCOME_REJECTED


def _place(run: Run, record: Sent) -> tuple[int, int]:
    """Return where a record is: it must be there exactly once."""
    found = [
        (number, item.offset)
        for number, items in run.records["transactions"].items()
        for item in items
        if (item.key, item.value, item.timestamp, tuple(item.headers))
        == (record.key, record.value, record.timestamp_ms, record.headers)
        and record.partition in (None, number)
    ]
    assert len(found) == 1
    return found[0]


def _check_letter(run: Run, place: tuple[int, int], reason: str, record: Sent) -> None:
    source = f"transactions/{place[0]}/{place[1]}".encode()
    (letter,) = [item for item in run.records["dead-letter"][place[0]] if dict(item.headers)["tallystick-source"] == source]
    assert letter.value == record.value
    assert list(letter.headers) == [
        ("tallystick-reason", reason.encode()),
        ("tallystick-source", source),
        ("tallystick-timestamp-ms", str(record.timestamp_ms).encode()),
        ("tallystick-key", record.key),
        *record.headers,
    ]

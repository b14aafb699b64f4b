"""Upstream systems' own numbers: over partitions in any order, and what never comes is given up and named."""

from tallystick.contracts import Transaction
from tallystick.witness.sealer.sources import MAX_SOURCES, NAMED, Sources

from .input import Record

GRACE_MS = 1_000


def said(sources: Sources, now_ms: int) -> list[tuple[str, int, int, list[int]]]:
    """Return what a seal would say."""
    return [(one.source, one.next_sequence, one.missing, list(one.given_up)) for one in sources.settle(now_ms, GRACE_MS)]


def test_numbers_in_any_order_and_repeated_are_no_gap() -> None:
    """They are spread over partitions, and a producer may send one twice."""
    sources = Sources()
    for number in (2, 0, 1, 1, 4, 3, 3):
        sources.take("core", number, 0)
    assert said(sources, 10 * GRACE_MS) == [("core", 5, 0, [])]


def test_what_does_not_come_in_time_is_given_up_and_named() -> None:
    """Only after the grace, once, and also after a restart."""
    sources = Sources()
    for number in (0, 3, 5):
        sources.take("core", number, 100)
    assert said(sources, 100 + GRACE_MS - 1) == [("core", 1, 0, [])]
    sources = Sources(sources.to_json())
    assert said(sources, 100 + GRACE_MS) == [("core", 6, 3, [1, 2, 4])]
    sources.were_sealed()
    assert said(sources, 200 + GRACE_MS) == [("core", 6, 3, [])]


def test_many_are_counted_and_some_named() -> None:
    """A seal stays small, whatever is missing."""
    sources = Sources()
    sources.take("core", 10**9, 0)
    (((_, following, missing, named)),) = said(sources, GRACE_MS)
    assert (following, missing, len(named)) == (10**9 + 1, 10**9, NAMED)


def test_transactions_of_both_forms_are_read_and_nothing_else() -> None:
    """Protobuf and JSON; what is no transaction, or names no source, has no number."""
    json = (("content-type", b"application/json"),)
    made = Transaction(transaction_id="t", source="core", source_sequence=0).SerializeToString()
    sources = Sources()
    sources.read(
        [
            Record(0, made),
            Record(1, b'{"source": "core", "sourceSequence": "1"}', headers=json),
            Record(2, b'{"source": "core", "source": "core"}', headers=json),
            Record(3, b"\x42\xff"),
            Record(4, None),
            Record(5, Transaction(transaction_id="B").SerializeToString()),
        ],
        0,
    )
    assert said(sources, 0) == [("core", 2, 0, [])]


def test_so_many_sources_are_followed() -> None:
    """Anybody who may write transactions may make names up."""
    sources = Sources()
    for number in range(MAX_SOURCES + 5):
        sources.take(f"s{number:03}", 0, 0)
    assert len(sources.settle(0, GRACE_MS)) == MAX_SOURCES

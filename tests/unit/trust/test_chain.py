"""The input chain."""

from hashlib import sha256
from hmac import new
from itertools import combinations

import pytest

from tallystick.trust.chain import CHAIN_START, KEY_SPAN, next_chain, record_digest

Record = tuple[int, int, bytes | None, list[tuple[str, bytes | None]], bytes | None]

DIFFERENT: list[Record] = [
    (7, 1000, b"k", [], b"v"),
    (8, 1000, b"k", [], b"v"),
    (7, 1001, b"k", [], b"v"),
    (7, -1, b"k", [], b"v"),
    (7, 1000, None, [], b"v"),
    (7, 1000, b"", [], b"v"),
    (7, 1000, b"k", [], None),
    (7, 1000, b"k", [], b""),
    (7, 1000, b"kv", [], b""),
    (7, 1000, None, [], None),
    (7, 1000, b"k", [("", None)], b"v"),
    (7, 1000, b"k", [("", b"")], b"v"),
    (7, 1000, b"k", [("h", b"x")], b"v"),
    (7, 1000, b"k", [("hx", b"")], b"v"),
    (7, 1000, b"k", [("h", b"x"), ("h", b"x")], b"v"),
    (7, 1000, b"k", [("a", b"1"), ("b", b"2")], b"v"),
    (7, 1000, b"k", [("b", b"2"), ("a", b"1")], b"v"),
]


@pytest.mark.parametrize(("one", "other"), list(combinations(DIFFERENT, 2)))
def test_different_records_have_different_digests(one: Record, other: Record) -> None:
    """Null is told from empty, fields do not run into each other, and headers keep order and repetitions."""
    assert record_digest(*one) != record_digest(*other)


def test_a_record_digest_is_of_the_written_out_bytes() -> None:
    """The encoding is the one that the module's docstring gives, byte for byte."""
    encoded = bytes.fromhex(
        "0000000000000007 00000000000003e8"  # offset, time stamp
        " 00000001 6b"  # key
        " 00000002 00000001 61 00000001 31 00000002 c3a9 ffffffff"  # headers a=1, é=null
        " ffffffff"  # value: null
    )
    assert record_digest(7, 1000, b"k", [("a", b"1"), ("é", None)], None) == sha256(encoded).digest()


def test_headers_may_come_as_a_tuple() -> None:
    """Kafka clients give headers as tuples or lists; the digest is the same."""
    assert record_digest(7, 1000, b"k", (("a", b"1"),), b"v") == record_digest(7, 1000, b"k", [("a", b"1")], b"v")


def test_a_chain_step_is_an_hmac_of_what_came_before_and_the_record() -> None:
    """chain[i] = HMAC-SHA-256(K, chain[i-1] || digest[i])."""
    key, digest = b"k" * 32, record_digest(*DIFFERENT[0])
    assert next_chain(key, CHAIN_START, digest) == new(key, bytes(32) + digest, "sha256").digest()
    assert next_chain(b"K" * 32, CHAIN_START, digest) != next_chain(key, CHAIN_START, digest)


def test_the_format_s_constants_do_not_change() -> None:
    """Chains that were sealed with these are compared for as long as the logs exist."""
    assert bytes(32) == CHAIN_START
    assert KEY_SPAN == 1_048_576

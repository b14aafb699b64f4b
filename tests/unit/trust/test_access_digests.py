"""Digests over records of accesses to evidence: each follows on the one before it, and their lines give them."""

from hashlib import sha256

import pytest

from tallystick.contracts import AccessDigest, EntryKind, LogEntry
from tallystick.trust.access_digests import FIRST, AccessDigestError, AccessDigests, digest_of
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import replay

from .helpers import trust_policy

LINES = ['{"by":"ada"}', '{"by":"grace"}']
FIRST_BATCH = AccessDigest(batch=0, records=2, digest=digest_of(FIRST, LINES), previous=FIRST, until_ms=60_000)
SECOND_BATCH = AccessDigest(
    batch=1, records=1, digest=digest_of(FIRST_BATCH.digest, LINES[:1]), previous=FIRST_BATCH.digest, until_ms=120_000
)


def changed(record: AccessDigest, **changes: object) -> bytes:
    """Return a digest's value with other fields."""
    other = AccessDigest()
    other.CopyFrom(record)
    for name, value in changes.items():
        setattr(other, name, value)
    return other.SerializeToString()


def test_the_digest_is_written_down() -> None:
    """As the format says, byte by byte."""
    written = b"tallystick/v1/access-records\n" + bytes(32) + b'{"by":"ada"}\n{"by":"grace"}\n'
    assert digest_of(FIRST, LINES) == sha256(written).digest()


@pytest.mark.parametrize("lines", [LINES[:1], LINES[::-1], [*LINES, LINES[0]], [LINES[0], LINES[1] + " "], []])
def test_whatever_is_changed_gives_another(lines: list[str]) -> None:
    """A record left out, put in, moved or altered."""
    assert digest_of(FIRST, lines) != FIRST_BATCH.digest
    assert digest_of(FIRST_BATCH.digest, LINES) != FIRST_BATCH.digest


def test_they_follow_on_each_other() -> None:
    """In order; the same one may come twice, since it is sent until it is known to be there."""
    log = AccessDigests()
    for record in (FIRST_BATCH, FIRST_BATCH, SECOND_BATCH, SECOND_BATCH):
        log.take(record.SerializeToString())
    assert log.last == SECOND_BATCH


@pytest.mark.parametrize(
    "value",
    [
        SECOND_BATCH.SerializeToString(),
        changed(FIRST_BATCH, previous=bytes(31)),
        changed(FIRST_BATCH, digest=b"short"),
        changed(FIRST_BATCH, records=0),
        changed(FIRST_BATCH, batch=1),
        b"\xff",
    ],
    ids=["left out", "follows on nothing", "no digest", "of nothing", "another number", "no record"],
)
def test_what_does_not_follow(value: bytes) -> None:
    """One that cannot come first is refused, and changes nothing."""
    log = AccessDigests()
    with pytest.raises(TrustError):
        log.take(value)
    assert log.last is None


def test_another_of_the_same_number() -> None:
    """Two stories of one minute cannot both be told."""
    log = AccessDigests()
    log.take(FIRST_BATCH.SerializeToString())
    with pytest.raises(AccessDigestError, match="does not follow"):
        log.take(changed(FIRST_BATCH, records=3))


def test_the_governance_log_says_which_do_not_count() -> None:
    """They govern nothing; one that does not follow is told, by its index."""
    values = [FIRST_BATCH.SerializeToString(), changed(SECOND_BATCH, previous=bytes(32)), SECOND_BATCH.SerializeToString()]
    entries = [
        LogEntry(kind=EntryKind.ENTRY_KIND_ACCESS_DIGEST, topic="governance", offset=offset, value=value).SerializeToString()
        for offset, value in enumerate(values)
    ]
    assert [index for index, _ in replay(entries, trust_policy()).rejected] == [1]

"""The governance log is a copy of its topic: in order, whole, and of nothing else."""

import hashlib

import pytest

from tallystick.contracts import EntryKind, LogEntry, Malformed
from tallystick.notary.intake import GOVERNANCE_KINDS, WholeTopicIntake
from tallystick.notary.state import Progress
from tallystick.trust.governance_log import GovernanceLogError, check_governance_log
from tallystick.trust.malformed import missing

from ..notary.stand import Stored

REPORT, MALFORMED = EntryKind.ENTRY_KIND_REPORT, EntryKind.ENTRY_KIND_MALFORMED
UNKNOWN: EntryKind = EntryKind.ValueType(77)  # type: ignore[assignment]  # the stubs know no kind but those there are
HOLE = missing(1, 4).SerializeToString()


def entry(offset: int, kind: EntryKind = REPORT, value: bytes = b"", topic: str = "governance", partition: int = 0) -> bytes:
    """Return an entry."""
    return LogEntry(kind=kind, topic=topic, partition=partition, offset=offset, value=value).SerializeToString()


def test_what_the_notary_writes_is_sound() -> None:
    """Records, what is none, and holes at the beginning and between."""
    records = [
        Stored(0, 3, b"", b"report/1", "governance"),
        Stored(0, 4, None, b"what/1", "governance"),
        Stored(0, 9, b"\xff", b"report/2", "governance"),
        Stored(0, 10, b"", b"report/3", "governance"),
    ]
    entries = WholeTopicIntake(GOVERNANCE_KINDS).admit({0: records}, Progress({}, {}), 0).entries
    assert len(entries) == 6
    check_governance_log(entries)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        pytest.param(
            entry(1, topic="other"), "entry 1: it was logged from other/0, and those before it from governance/0", id="topic"
        ),
        pytest.param(entry(1, partition=2), "entry 1: it was logged from governance/2, and", id="partition"),
        pytest.param(entry(0), "entry 1: it was logged from offset 0, where 1 is next", id="twice"),
        pytest.param(entry(2), "entry 1: it was logged from offset 2, where 1 is next", id="a record left out"),
        pytest.param(
            entry(1, EntryKind.ENTRY_KIND_DECISION), "entry 1: an entry of kind decision does not belong", id="decision"
        ),
        pytest.param(entry(1, EntryKind.ENTRY_KIND_UNSPECIFIED), "entry 1: an entry of kind unspecified", id="no kind"),
        pytest.param(entry(1, UNKNOWN), "entry 1: an entry of kind 77 does not", id="unknown kind"),
        pytest.param(entry(1, MALFORMED, b"\xff"), "entry 1: the record is not a well-formed Malformed", id="no stand-in"),
        pytest.param(entry(1, MALFORMED, b""), "entry 1: its digest has 0 bytes", id="no digest"),
        pytest.param(entry(1, MALFORMED, missing(2, 4).SerializeToString()), "that 2 to 4 are missing", id="another hole"),
        pytest.param(entry(1, MALFORMED, missing(1, 0).SerializeToString()), "that 1 to 0 are missing", id="a hole backwards"),
        pytest.param(b"\xff", "entry 1: the entry is not a well-formed LogEntry", id="no entry"),
    ],
)
def test_what_cannot_stand_there_is_named(second: bytes, reason: str) -> None:
    """Each by its index and with its reason."""
    with pytest.raises(GovernanceLogError, match=reason):
        check_governance_log([entry(0), second])


def test_a_hole_is_as_long_as_it_says() -> None:
    """After it comes the offset after the last one that is missing; a malformed record takes one offset only."""
    check_governance_log([entry(0), entry(1, MALFORMED, HOLE), entry(5)])
    with pytest.raises(GovernanceLogError, match="entry 2: it was logged from offset 6, where 5 is next"):
        check_governance_log([entry(0), entry(1, MALFORMED, HOLE), entry(6)])
    odd = Malformed(digest=hashlib.sha256(b"x").digest(), size_bytes=1, reason=missing(1, 4).reason).SerializeToString()
    with pytest.raises(GovernanceLogError, match="entry 2: it was logged from offset 5, where 2 is next"):
        check_governance_log([entry(0), entry(1, MALFORMED, odd), entry(5)])

"""The log of fallbacks: a whole copy of its topic, in which nothing passes for a decision, and what never came is counted."""

import json
from pathlib import Path
from typing import Any

import pytest

from tallystick.cli.main import main
from tallystick.contracts import EntryKind, Fallback, FallbackReason, LogEntry, Outcome
from tallystick.notary.intake import FALLBACK_KINDS, WholeTopicIntake
from tallystick.notary.state import Progress
from tallystick.trust.errors import TrustError
from tallystick.trust.fallbacks import FallbackLog, open_fallback
from tallystick.trust.policy import TrustPolicy, TrustPolicyError

from ..cli.logs import decision_log, decisions, publish
from ..notary.stand import Stored
from .helpers import DECISIONS, GOVERNANCE, NOW_MS, Log, World, log_policy, trust_toml

FALLBACKS = "tallystick.example/test/fallbacks"
FILES = (
    log_policy(logs=(DECISIONS, FALLBACKS, GOVERNANCE)),
    trust_toml().replace(b"governance =", f'fallbacks = "{FALLBACKS}"\ngovernance ='.encode()),
)
POLICY = TrustPolicy.parse(*FILES)
KIND = EntryKind.ENTRY_KIND_FALLBACK


def fallback(number: int = 0, spool: bytes = b"s" * 16, **fields: Any) -> Fallback:
    """Return a sound one."""
    made = Fallback(
        spool=spool,
        number=number,
        source_topic="transactions",
        source_partition=3,
        source_offset=17,
        outcome=Outcome.OUTCOME_APPROVE,
        reason=FallbackReason.FALLBACK_REASON_DEADLINE,
        channel="cards",
        answered_at_ms=NOW_MS,
    )
    made.MergeFrom(Fallback(**fields))
    return made


def entry(offset: int, value: bytes, kind: EntryKind = KIND, topic: str = "fallbacks", partition: int = 0) -> bytes:
    """Return an entry."""
    return LogEntry(kind=kind, topic=topic, partition=partition, offset=offset, value=value).SerializeToString()


def taken(*fallbacks: Fallback) -> FallbackLog:
    """Return the log of these."""
    log = FallbackLog(POLICY)
    for offset, one in enumerate(fallbacks):
        log.take(entry(offset, one.SerializeToString()))
    return log


def test_what_the_notary_writes_is_sound() -> None:
    """Fallbacks, what is none, and a hole."""
    value = fallback().SerializeToString()
    records = [
        Stored(0, 2, value, b"fallback/73", "fallbacks"),
        Stored(0, 3, value, b"decision/73", "fallbacks"),
        Stored(0, 4, b"\xff", b"fallback/73", "fallbacks"),
    ]
    entries = WholeTopicIntake(FALLBACK_KINDS).admit({0: records}, Progress({}, {}), 0).entries
    log = FallbackLog(POLICY)
    for data in entries:
        log.take(data)
    assert log.counts == {"MALFORMED": 3, "APPROVE": 1}


def test_every_fallback_is_counted_as_what_it_is() -> None:
    """Given or withdrawn, again after a crash, or never come: by the numbers of each gateway's spool."""
    other = b"o" * 16
    log = taken(
        fallback(0), fallback(0, other), fallback(0), fallback(1, withdrawn=True), fallback(4, outcome=Outcome.OUTCOME_DECLINE)
    )
    assert log.counts == {"APPROVE": 2, "REPEATED": 1, "WITHDRAWN": 1, "MISSING": 2, "DECLINE": 1}
    assert log.notes() == ["2 fallbacks were written down by a gateway and never came here"]
    assert taken(fallback(0)).notes() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"spool": b"short"},
        {"source_topic": "other"},
        {"source_partition": 4},
        {"source_offset": 2**63},
        {"number": 2**63},
        {"outcome": Outcome.OUTCOME_REJECTED},
        {"outcome": 77},
        {"reason": 77},
        {"channel": "x" * 257},
        {"channel": "a\nb"},
        {"answered_at_ms": -1},
    ],
)
def test_a_fallback_that_says_what_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    """Field by field."""
    with pytest.raises(TrustError):
        open_fallback(fallback(**fields).SerializeToString(), POLICY)


@pytest.mark.parametrize("field", ["outcome", "reason", "channel", "spool", "source_topic"])
def test_a_fallback_that_leaves_something_out_is_refused(field: str) -> None:
    """And one with a field that nobody knows."""
    made = fallback()
    made.ClearField(field)
    for value in (made.SerializeToString(), fallback().SerializeToString() + b"\xf8\x07\x01", b"\xff"):
        with pytest.raises(TrustError):
            open_fallback(value, POLICY)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (entry(0, fallback(1).SerializeToString()), "offset 0, where 1 is next"),
        (entry(2, fallback(1).SerializeToString()), "offset 2, where 1 is next"),
        (entry(1, fallback(1).SerializeToString(), partition=1), "one partition"),
        (entry(1, fallback(1).SerializeToString(), topic="decisions"), "one partition"),
        (entry(1, fallback(1).SerializeToString(), EntryKind.ENTRY_KIND_DECISION), "kind decision does not belong"),
    ],
)
def test_what_cannot_stand_there_is_refused(second: bytes, reason: str) -> None:
    """Each record in its turn, and nothing else."""
    log = taken(fallback())
    with pytest.raises(TrustError, match=reason):
        log.take(second)


def test_a_policy_s_log_of_fallbacks_needs_its_key_and_its_name() -> None:
    """As every log."""
    assert list(POLICY.origins) == ["decisions", "fallbacks", "governance"]
    with pytest.raises(TrustPolicyError, match="no log line"):
        TrustPolicy.parse(log_policy(), FILES[1])
    with pytest.raises(TrustPolicyError, match="there twice"):
        TrustPolicy.parse(FILES[0], FILES[1].replace(FALLBACKS.encode(), GOVERNANCE.encode()))


@pytest.mark.parametrize("kind", [KIND, EntryKind.ENTRY_KIND_DECISION])
def test_fsck_checks_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: EntryKind) -> None:
    """`tallystick fsck` walks it, too, and finds a decision in it."""
    log = Log(FALLBACKS)
    for number in range(3):
        log.append(kind, fallback(number).SerializeToString(), topic="fallbacks")
    publish(log, tmp_path / "logs/fallbacks")
    publish(decision_log(decisions(World(), 3)), tmp_path / "logs/decisions")
    publish(World().governance_log(), tmp_path / "logs/governance")
    (tmp_path / "policy").mkdir()
    for name, data in zip(("log.policy", "trust.toml"), FILES, strict=True):
        (tmp_path / "policy" / name).write_bytes(data)
    code = main(["fsck", str(tmp_path / "logs"), "--policy", str(tmp_path / "policy"), "--json"])
    told = json.loads(capsys.readouterr().out)
    if kind == KIND:
        assert (code, told["logs"][-1]["counts"]) == (0, {"APPROVE": 3})
    else:
        assert (code, "entry 0: an entry of kind decision" in json.dumps(told)) == (1, True)

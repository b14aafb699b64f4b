"""Logs' keys: added and retired by two approvers, and what a retired one is still worth."""

from base64 import b64encode
from dataclasses import replace

import pytest

from tallystick.contracts import EntryKind
from tallystick.merkle.checkpoints import Checkpoint, CheckpointError
from tallystick.merkle.keys import ED25519, NoteError, VerifierKey
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.merkle.policy import LogPolicy
from tallystick.trust.governance import Governance, replay
from tallystick.trust.log_keys import LogKeys
from tallystick.trust.policy import TrustPolicy, TrustPolicyError

from .helpers import DECISIONS, GOVERNANCE, RECEIPTS, Log, enrolment, key, log_key, log_policy, public, trust_policy, trust_toml

TRUST = trust_policy()
OLD, NEW = VerifierKey.make(GOVERNANCE, ED25519, public(GOVERNANCE)), VerifierKey.make(GOVERNANCE, ED25519, public("new"))
LOG_KEY = EntryKind.ENTRY_KIND_LOG_KEY


def after(*records: bytes, kind: EntryKind = LOG_KEY) -> Governance:
    """Replay a log of these records."""
    log = Log(GOVERNANCE)
    for value in records:
        log.append(kind, value)
    return replay(log.entries, TRUST)


def note(size: int, *keys: tuple[VerifierKey, str], origin: str = GOVERNANCE) -> bytes:
    """Return a checkpoint of some size, signed by these."""
    text = Checkpoint(origin, size, b"\x07" * 32).encode()
    return Note(text, tuple(SignatureLine.by(verifier, key(name).sign(text)) for verifier, name in keys)).encode()


def believes(policy: LogPolicy, data: bytes) -> bool:
    """Say whether a policy accepts a checkpoint."""
    try:
        policy.verify_checkpoint(data, GOVERNANCE)
    except (CheckpointError, NoteError):
        return False
    return True


BY_OLD, BY_NEW = (OLD, GOVERNANCE), (NEW, "new")


def test_an_added_key_signs_beside_the_old_one() -> None:
    """Two approvers add a key: both may sign, and a policy that takes it up believes either."""
    governance = after(log_key("new"))
    assert governance.rejected == []
    assert governance.log_keys.signing(TRUST.log_policy, GOVERNANCE) == {public(GOVERNANCE), public("new")}
    assert governance.log_keys.signing(TRUST.log_policy, DECISIONS) == {public(DECISIONS)}
    updated = governance.log_keys.with_added(TRUST.log_policy)
    assert all(believes(updated, note(9, *by)) for by in ([BY_OLD], [BY_NEW], [BY_OLD, BY_NEW]))
    assert not believes(TRUST.log_policy, note(9, BY_NEW))


def test_nobody_s_policy_changes_by_itself() -> None:
    """What replaying alone changes only narrows: an added key is not believed until a person takes it into the policy."""
    governance = after(log_key("new"))
    assert governance.log_keys.with_retired(TRUST.log_policy) == TRUST.log_policy


@pytest.mark.parametrize("update", ["with_added", "with_retired"])
def test_a_retired_key_speaks_for_what_it_signed_before_and_for_nothing_larger(update: str) -> None:
    """Old checkpoints keep verifying; one that is larger needs another key's signature, and a thief has only this one."""
    governance = after(log_key("new"), log_key(GOVERNANCE, last_size=100))
    assert governance.log_keys.signing(TRUST.log_policy, GOVERNANCE) == {public("new")}
    policy = getattr(governance.log_keys, update)(TRUST.log_policy)
    assert believes(policy, note(100, BY_OLD))
    assert not believes(policy, note(101, BY_OLD))
    assert believes(policy, note(101, BY_OLD, BY_NEW)) == (update == "with_added")
    with pytest.raises(CheckpointError, match=r"101 entries is signed by a retired key of .*, good up to 100"):
        policy.verify_checkpoint(note(101, BY_OLD), GOVERNANCE)


def test_of_two_sizes_the_smaller_one_holds() -> None:
    """A policy's own word on a retired key is never widened by the log."""
    governance = after(log_key("new"), log_key(GOVERNANCE, last_size=100))
    for size, expected in ((50, 50), (200, 100)):
        policy = replace(TRUST.log_policy, retired={OLD: size})
        assert governance.log_keys.with_retired(policy).retired == {OLD: expected}


REFUSED = {
    "one signature": (log_key("new", "ada"), "1 of the 2 approver signatures"),
    "a publisher": (log_key("new", "ada", "pat"), "'pat' is not an approver"),
    "another governance log's": (log_key("new", log="other"), "is stated for the log 'other'"),
    "the decisions log's key": (log_key(DECISIONS), "the key is that of another log, of a witness or of receipts"),
    "a witness's key": (log_key("notary-clock"), "the key is that of another log, of a witness or of receipts"),
    "the receipts' key": (log_key(RECEIPTS), "the key is that of another log, of a witness or of receipts"),
    "the last key": (log_key(GOVERNANCE, last_size=9), f"{GOVERNANCE} would be left without a key: add another one first"),
    "a person's key": (log_key("ada"), "the key is that of 'ada'"),
    "half a key": (log_key("new", public_key=bytes(31)), "the log's key: "),
    "a key of small order": (log_key("new", public_key=bytes(32)), "the log's key: "),
    "no name": (log_key("new", origin=""), "the log's key: "),
    "an unknown field": (log_key("new") + b"\xf8\x07\x01", "does not know"),
    "no record": (b"\xff", "not a well-formed LogKey"),
}


@pytest.mark.parametrize(("record", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_key_against_the_rules_is_none(record: bytes, reason: str) -> None:
    """It is rejected with its reason and changes nothing."""
    governance = after(record)
    assert reason in governance.rejected[0][1]
    assert governance.log_keys == after().log_keys


def test_a_key_is_added_once_and_retired_once() -> None:
    """The same records logged again, and a retired key added anew, have no effect; nor does another log's key."""
    governance = after(
        log_key("new"),
        log_key("new"),
        log_key("new", origin=DECISIONS),
        log_key("new", last_size=10),
        log_key("new", last_size=1_000),
        log_key("new"),
    )
    assert [index for index, _ in governance.rejected] == [1, 2, 4, 5]
    assert governance.rejected[0][1].endswith("was added before, at index 0")
    assert governance.log_keys.retired == {NEW: 10}


def test_under_a_policy_that_has_the_new_key_already_the_same_entries_count() -> None:
    """A key that was taken into the policy is added by the log's entry all the same, and the old one is retired."""
    log = Log(GOVERNANCE)
    for record in (log_key("new"), log_key(GOVERNANCE, last_size=1)):
        log.append(LOG_KEY, record)
    lines = log_policy().splitlines(keepends=True)
    governance = replay(log.entries, TrustPolicy.parse(b"".join([f"log {NEW}\n".encode(), *lines]), trust_toml()))
    assert (governance.rejected, governance.log_keys) == ([], after(log_key("new"), log_key(GOVERNANCE, last_size=1)).log_keys)


def test_a_key_that_something_else_has_is_not_taken_into_a_policy() -> None:
    """Under a policy with another machine of that key the update leaves it out, so that the policy stays one."""
    taken = VerifierKey.make(GOVERNANCE, ED25519, public(DECISIONS))
    for keys in (LogKeys({taken: 0}), LogKeys({taken: 0}, {taken: 1})):
        assert keys.with_added(TRUST.log_policy).logs == TRUST.log_policy.logs


def test_a_log_s_key_is_nobody_s_own() -> None:
    """Whoever runs the log cannot be enrolled with its key."""
    log = Log(GOVERNANCE)
    log.append(LOG_KEY, log_key("new"))
    log.append(EntryKind.ENTRY_KIND_ENROLMENT, enrolment("dan", ["approver"], public_key=public("new")))
    assert "is that of a log or a witness" in replay(log.entries, TRUST).rejected[0][1]


def retired_toml(name: str, origin: str = GOVERNANCE, last_size: object = 100) -> bytes:
    """Return a trust.toml that retires the key of a name."""
    encoded = b64encode(public(name)).decode()
    more = f'[[retired_keys]]\norigin = "{origin}"\npublic_key = "{encoded}"\nlast_size = {last_size}\n'
    return trust_toml() + more.encode()


def test_a_policy_s_folder_says_which_keys_are_retired() -> None:
    """What `trust.toml` says of a key in `log.policy` holds wherever a checkpoint is believed."""
    policy = TrustPolicy.parse(log_policy(), retired_toml(GOVERNANCE))
    assert policy.log_policy.retired == {OLD: 100}
    assert not believes(policy.log_policy, note(101, BY_OLD))


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        (retired_toml("new"), "is retired that log.policy does not have"),
        (retired_toml(GOVERNANCE, origin=DECISIONS), "is retired that log.policy does not have"),
        (retired_toml(GOVERNANCE, last_size=-1), "last_size is out of range"),
        (retired_toml(GOVERNANCE, last_size='"1"'), "'last_size' must be an integer"),
    ],
)
def test_what_is_not_understood_is_refused(toml: bytes, reason: str) -> None:
    """A retired key that is none of the policy's, or a size that is none, condemns the file."""
    with pytest.raises(TrustPolicyError, match=reason):
        TrustPolicy.parse(log_policy(), toml)

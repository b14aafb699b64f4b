"""Trust policies."""

from base64 import b64encode
from pathlib import Path

import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import EMPTY_ROOT
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.merkle.policy import VerifiedCheckpoint
from tallystick.merkle.signed_roots import ReceiptKey
from tallystick.trust.policy import Freshness, Topic, TrustPolicy, TrustPolicyError

from .helpers import DECISIONS, GOVERNANCE, RECEIPTS, log_policy, public, trust_toml

TOML = trust_toml().decode()


def test_a_policy_says_whom_to_believe() -> None:
    """Everything in the two files is there."""
    policy = TrustPolicy.parse(log_policy(), trust_toml())
    assert (policy.decisions_origins, policy.governance_origin) == ((DECISIONS,), GOVERNANCE)
    assert policy.freshness == Freshness("notary-clock", 60)
    assert policy.topics == {"transactions": Topic(4, "murmur2", (DECISIONS,) * 4)}
    assert [(signer.name, signer.public_key) for signer in policy.signers[:2]] == [
        ("ada", public("ada")),
        ("bob", public("bob")),
    ]
    assert policy.signers[0].roles == {"publisher", "approver"}
    assert policy.log_policy.quorum is None
    assert policy.receipt_keys == (ReceiptKey(DECISIONS, public(RECEIPTS)),)


def test_a_policy_is_read_from_its_folder(tmp_path: Path) -> None:
    """`load` reads `log.policy` and `trust.toml`."""
    (tmp_path / "log.policy").write_bytes(log_policy())
    (tmp_path / "trust.toml").write_bytes(trust_toml())
    assert TrustPolicy.load(tmp_path).decisions_origins == (DECISIONS,)


@pytest.mark.parametrize("missing", ["log.policy", "trust.toml"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    """The error says which file cannot be read."""
    (tmp_path / "log.policy").write_bytes(log_policy())
    (tmp_path / "trust.toml").write_bytes(trust_toml())
    (tmp_path / missing).unlink()
    with pytest.raises(TrustPolicyError, match=f"cannot read .*{missing}: No such file"):
        TrustPolicy.load(tmp_path)


def encoded(key: bytes) -> str:
    """Return a key as the file writes it."""
    return b64encode(key).decode()


ADA = encoded(public("ada"))
LINE = SignatureLine("x", bytes(4), bytes(64))
RECEIPT_KEY = f'[[receipt_keys]]\norigin = "{DECISIONS}"\npublic_key = "{encoded(public(RECEIPTS))}"\n'


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("version = 1", "version = 2", "version is 2; this program understands 1"),
        ("version = 1", "version = true", "'version' must be an integer"),
        ("version = 1", "version = 1\ncolour = 1", "'colour', which is not known"),
        ("version = 1", "version = 1\nversion = 1", "trust.toml: "),
        ("version = 1", "", "lacks 'version'"),
        ("[freshness]\n", "[fresh]\n", "'fresh', which is not known"),
        ("max_age_s = 60", "max_age_s = 0", "max_age_s must be 1 or more"),
        ("max_age_s = 60", "max_age_s = 60.0", "'max_age_s' must be an integer"),
        ("max_age_s = 60", "max_age_s = 60\nskew_s = 1", "'skew_s', which is not known"),
        ('witness = "notary-clock"', 'witness = "sundial"', "has no witness 'sundial'"),
        (f'decisions = "{DECISIONS}"', 'decisions = "elsewhere"', "no log line for the origin 'elsewhere'"),
        (f'governance = "{GOVERNANCE}"', f'governance = "{DECISIONS}"', "decisions' is there twice"),
        (f'decisions = "{DECISIONS}"', "decisions = []", "decisions must be an origin, or a list of one or more"),
        (f'decisions = "{DECISIONS}"', "decisions = [1]", "decisions must be an origin, or a list of one or more"),
        (f'decisions = "{DECISIONS}"', "decisions = true", "'decisions' must be a string or an array"),
        ("partitions = 4", "partitions = 0", "partitions is 0"),
        ("partitions = 4", "partitions = -1", "partitions is -1"),
        ("partitions = 4", "partitions = 4\nowner = 1", "'owner', which is not known"),
        ('"murmur2"', '"random"', "partitioner 'random' is not known"),
        ('name = "bob"', 'name = "ada"', "'ada' is there twice"),
        (encoded(public("bob")), ADA, "'ada' and 'bob' have the same key"),
        (ADA, encoded(public(DECISIONS)), "'ada' has the key of a log, a witness, a sealer or receipts"),
        (RECEIPT_KEY, RECEIPT_KEY.replace("decisions", "elsewhere"), "of which log.policy has no log line"),
        (RECEIPT_KEY, RECEIPT_KEY + RECEIPT_KEY, "is there twice"),
        (encoded(public(RECEIPTS)), encoded(public(DECISIONS)), "is that of a log or witness"),
        (encoded(public(RECEIPTS)), encoded(public("notary-clock")), "is that of a log or witness"),
        (encoded(public(RECEIPTS)), encoded(bytes(32)), "receipt key 1: the Ed25519 public key is of small order"),
        (encoded(public(RECEIPTS)), "AA==", "receipt key 1: an Ed25519 public key has 32 bytes, not 1"),
        (RECEIPT_KEY, RECEIPT_KEY + "roles = []\n", "receipt key 1 has 'roles', which is not known"),
        (ADA, encoded(public(RECEIPTS)), "'ada' has the key of a log, a witness, a sealer or receipts"),
        (ADA, encoded(public("notary-clock")), "'ada' has the key of a log, a witness, a sealer or receipts"),
        (ADA, encoded(bytes(32)), r"signer 1 \(ada\): public_key: .*small order"),
        (ADA, encoded(b"\xff" * 32), r"signer 1 \(ada\): public_key: .*not in canonical form"),
        (ADA, encoded(bytes(31)), r"signer 1 \(ada\): public_key: .*32 bytes, not 31"),
        (ADA, ADA.removesuffix("="), r"signer 1 \(ada\): public_key: not base64"),
        (
            ADA,
            ADA[:-2] + ("B" if ADA[-2] == "A" else chr(ord(ADA[-2]) + 1)) + "=",
            r"\(ada\): public_key: not canonical base64",
        ),
        ("['approver']", "['king']", "roles must be some of approver, publisher"),
        ("['approver']", "[]", "roles must be some of"),
        ("['approver']", "['approver', 'approver']", "each once"),
        ("['approver']", "[1]", "roles must be some of"),
        ('name = "bob"', 'name = ""', "signer 2: the name must be"),
        ('name = "bob"', 'name = "b\\u001bob"', "signer 2: the name must be"),
        ('name = "bob"', 'name = "bob"\nemail = "b@b"', "'email', which is not known"),
    ],
)
def test_what_is_not_understood_is_refused(old: str, new: str, reason: str) -> None:
    """One mutation of a good `trust.toml`, and the sentence that it gets."""
    assert old in TOML
    with pytest.raises(TrustPolicyError, match=reason):
        TrustPolicy.parse(log_policy(), TOML.replace(old, new, 1).encode())


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        (b"\xff", "byte 0 is not UTF-8"),
        (b"version = ", "trust.toml: "),
        (b"a = " + b"[" * 5000, "trust.toml: its nesting is too deep"),
        (b"#" * 1_000_001, "more than the 1000000 allowed"),
    ],
)
def test_a_file_that_is_no_toml_is_refused(toml: bytes, reason: str) -> None:
    """Unreadable files are policy errors, never crashes."""
    with pytest.raises(TrustPolicyError, match=reason):
        TrustPolicy.parse(log_policy(), toml)


def test_freshness_is_the_quorums_unless_a_witness_is_named() -> None:
    """Without a name the quorum's time counts, with one that witness's; where there is neither, the policy is refused."""
    unnamed = TOML.replace('witness = "notary-clock"\n', "").encode()
    by_quorum = TrustPolicy.parse(log_policy(quorum="notary-clock"), unnamed).freshness
    assert by_quorum == Freshness(None, 60)
    verified = VerifiedCheckpoint(Checkpoint(GOVERNANCE, 0, EMPTY_ROOT), Note(b"\n", (LINE,)), {"notary-clock": 7}, 5)
    assert by_quorum.time_s(verified) == 5
    assert Freshness("notary-clock", 60).time_s(verified) == 7
    assert Freshness("other", 60).time_s(verified) is None
    with pytest.raises(TrustPolicyError, match=r"quorum of log\.policy is none, so name"):
        TrustPolicy.parse(log_policy(), unnamed)


SEVERAL = ("bank.example/decisions-0", "bank.example/decisions-1")
MAPPING = "logs = [0, 1, 1, 0]"


def divided(origins: tuple[str, str]) -> str:
    """Return a `trust.toml` that divides the partitions between two logs."""
    toml = TOML.replace(f'decisions = "{DECISIONS}"', f"decisions = {list(origins)}")
    return toml.replace(f'origin = "{DECISIONS}"', f'origin = "{GOVERNANCE}"').replace('"murmur2"', f'"murmur2"\n{MAPPING}')


def several(old: str = "", new: str = "") -> TrustPolicy:
    """Return a policy of two decisions logs, one text in `trust.toml` replaced."""
    toml = divided(SEVERAL)
    assert old in toml
    return TrustPolicy.parse(log_policy(logs=(*SEVERAL, GOVERNANCE)), toml.replace(old, new).encode())


def test_each_partition_belongs_to_one_of_several_logs() -> None:
    """The mapping says which log holds a partition's decisions, and a log's partitions; names are the origins' ends."""
    policy = several()
    assert [policy.decisions_origin("transactions", partition) for partition in range(4)] == [SEVERAL[i] for i in (0, 1, 1, 0)]
    assert policy.topics["transactions"].of_log(SEVERAL[1]) == {1, 2}
    assert policy.origins == {"decisions-0": SEVERAL[0], "decisions-1": SEVERAL[1], "governance": GOVERNANCE}


@pytest.mark.parametrize(("topic", "partition"), [("transactions", 4), ("transactions", -1), ("other", 0)])
def test_a_partition_that_is_not_there_has_no_log(topic: str, partition: int) -> None:
    """Nothing may be believed of it."""
    with pytest.raises(TrustPolicyError, match="is not"):
        several().decisions_origin(topic, partition)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (MAPPING, "", "there are 2 decisions logs, so logs must say which holds each partition"),
        (MAPPING, "logs = [0, 1, 1]", "logs names the log of 3 partitions, and there are 4"),
        (MAPPING, "logs = [0, 1, 1, 0, 0]", "logs names the log of 5 partitions, and there are 4"),
        (MAPPING, "logs = [0, 1, 2, 0]", "logs says 2 for partition 2; .* counts from 0 to 1"),
        (MAPPING, "logs = [0, -1, 1, 0]", "logs says -1 for partition 1"),
        (MAPPING, "logs = [0, true, 1, 0]", "logs says True for partition 1"),
        (MAPPING, "logs = [0, 1.0, 1, 0]", "logs says 1.0 for partition 1"),
        (MAPPING, "logs = [0, '1', 1, 0]", "logs says '1' for partition 1"),
        (MAPPING, "logs = [0, 0, 0, 0]", "no topic gives a partition to the decisions log 'bank.example/decisions-1'"),
        (MAPPING, "logs = 1", "'logs' must be an array"),
        ("decisions-1'", "decisions-0'", "'bank.example/decisions-0' is there twice"),
        ("decisions-1'", "decisions-2'", "no log line for the origin 'bank.example/decisions-2'"),
    ],
)
def test_a_mapping_that_is_not_whole_is_refused(old: str, new: str, reason: str) -> None:
    """One mutation of a policy with two logs, and the sentence that it gets."""
    with pytest.raises(TrustPolicyError, match=reason):
        several(old, new)


@pytest.mark.parametrize(
    ("origins", "reason"),
    [
        (("a.example/log", "b.example/log"), "'b.example/log' and 'a.example/log' end in the same name"),
        (("a.example/decisions", "b.example/governance"), "end in the same name"),
        (("a.example/..", "b.example/x"), "must end in the log's name"),
        (("a.example/", "b.example/x"), "must end in the log's name"),
        (("a.example/Log", "b.example/x"), "must end in the log's name"),
        ((f"a.example/{'x' * 65}", "b.example/x"), "must end in the log's name"),
    ],
)
def test_every_log_has_a_name_to_keep_it_under(origins: tuple[str, str], reason: str) -> None:
    """Names become directories and keys, so they are plain, and no two logs share one."""
    toml = divided(origins).encode()
    with pytest.raises(TrustPolicyError, match=reason):
        TrustPolicy.parse(log_policy(logs=(*origins, GOVERNANCE)), toml)


def test_a_bad_log_policy_is_named_as_such() -> None:
    """The error says which of the two files is at fault."""
    with pytest.raises(TrustPolicyError, match=r"^log.policy: "):
        TrustPolicy.parse(b"quorum nobody\n", trust_toml())


def test_no_topic_is_no_policy() -> None:
    """A policy under which nothing could be decided is refused."""
    toml = TOML.replace('[topics.transactions]\npartitions = 4\npartitioner = "murmur2"\n', "[topics]\n")
    with pytest.raises(TrustPolicyError, match="names no topic"):
        TrustPolicy.parse(log_policy(), toml.encode())

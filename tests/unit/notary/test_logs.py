"""Which logs a notary writes."""

import re

import pytest

from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.notary.logs import Log, LogChoiceError, chosen
from tallystick.trust.policy import TrustPolicy

from .stand import LocalKeys

ORIGINS = ("bank.example/decisions-0", "bank.example/decisions-1", "bank.example/governance")
TOML = """
version = 1
signers = []
[logs]
decisions = ["bank.example/decisions-0", "bank.example/decisions-1"]
governance = "bank.example/governance"
[freshness]
witness = "notary-clock"
max_age_s = 60
[topics.transactions]
partitions = 4
partitioner = "murmur2"
logs = [0, 1, 1, 1]
[topics.transfers]
partitions = 2
partitioner = "murmur2"
logs = [0, 0]
"""


@pytest.fixture
async def policy() -> TrustPolicy:
    """Provide a trust policy of two decisions logs and two topics, of which one uses only the first log."""
    keys = LocalKeys()
    lines = [f"log {VerifierKey.make(origin, ED25519, keys.public_of(origin))}" for origin in ORIGINS]
    lines.append(f"witness notary-clock {VerifierKey.make('notary-clock', 4, keys.public_of('clock'))}")
    return TrustPolicy.parse("\n".join([*lines, "quorum none", ""]).encode(), TOML.encode())


DECISIONS_0 = Log("decisions-0", ORIGINS[0], "decisions", frozenset({0}))
DECISIONS_1 = Log("decisions-1", ORIGINS[1], "decisions", frozenset({1, 2, 3}))
GOVERNANCE = Log("governance", ORIGINS[2], "governance", frozenset({0}))


@pytest.mark.parametrize(
    ("names", "logs"),
    [
        ("all", (DECISIONS_0, DECISIONS_1, GOVERNANCE)),
        ("decisions-1", (DECISIONS_1,)),
        ("governance, decisions-0", (GOVERNANCE, DECISIONS_0)),
    ],
)
def test_logs_are_chosen_by_name(policy: TrustPolicy, names: str, logs: tuple[Log, ...]) -> None:
    """All of the policy's, or those that are named, each with its own partitions."""
    assert chosen(policy, "transactions", names) == logs


def test_a_log_without_partitions_of_the_topic_is_not_written(policy: TrustPolicy) -> None:
    """Another topic's log has another writer."""
    assert [log.name for log in chosen(policy, "transfers", "all")] == ["decisions-0", "governance"]


def test_a_log_has_a_key_of_its_own(policy: TrustPolicy) -> None:
    """No two logs are signed with one key; the governance log takes no partition of the input."""
    logs = chosen(policy, "transactions", "all")
    assert [log.signing_key for log in logs] == ["notary-decisions-0", "notary-decisions-1", "notary-governance"]
    assert [set(log.input_partitions) for log in logs] == [{0}, {1, 2, 3}, set()]


@pytest.mark.parametrize(
    ("topic", "names", "reason"),
    [
        ("payments", "all", "says nothing of the topic payments, only of transactions, transfers"),
        (
            "transactions",
            "decisions",
            "no log 'decisions' for the topic transactions, only decisions-0, decisions-1, governance",
        ),
        ("transactions", "", "no log ''"),
        ("transactions", "governance,", "no log ''"),
        ("transfers", "decisions-1", "no log 'decisions-1' for the topic transfers"),
        ("transactions", "governance,governance", "named twice"),
    ],
)
def test_a_choice_that_is_none_is_refused(policy: TrustPolicy, topic: str, names: str, reason: str) -> None:
    """The message says what there is."""
    with pytest.raises(LogChoiceError, match=re.escape(reason)):
        chosen(policy, topic, names)

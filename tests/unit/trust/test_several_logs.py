"""Several decisions logs: a decision counts in its partition's log, and in no other, whatever the format of the proof."""

import pytest

from tallystick.trust.bundle import BundleError, verify_bundle
from tallystick.trust.errors import TrustError
from tallystick.trust.log_proofs import verify_log_proof
from tallystick.trust.policy import TrustPolicy

from .helpers import DECISIONS, GOVERNANCE, Log, World, log_policy, trust_toml
from .test_log_proofs import Case

OTHER = "tallystick.example/test/decisions-too"


def _two_logs(logs: str) -> TrustPolicy:
    """Return a policy of two decisions logs; `logs` gives the four partitions to them."""
    toml = trust_toml().decode().replace(f'decisions = "{DECISIONS}"', f'decisions = ["{DECISIONS}", "{OTHER}"]')
    toml = toml.replace('"murmur2"', f'"murmur2"\nlogs = {logs}')
    return TrustPolicy.parse(log_policy(logs=(DECISIONS, OTHER, GOVERNANCE)), toml.encode())


def test_a_decision_counts_only_in_its_partitions_log() -> None:
    """Partition 2 belongs to one log; a decision on it that another log of the same bank holds is refused."""
    for origin in (DECISIONS, OTHER):
        world = World(decision_log=Log(origin, [b"before"] * 5))
        ours = _two_logs("[0, 0, 1, 1]" if origin == OTHER else "[1, 1, 0, 0]")
        theirs = _two_logs("[1, 1, 0, 0]" if origin == OTHER else "[0, 0, 1, 1]")
        assert verify_bundle(world.bundle(), ours).checkpoint.checkpoint.origin == origin
        with pytest.raises(BundleError, match=f"its partition 2 belongs to the log .*, and it is proven in {origin}$"):
            verify_bundle(world.bundle(), theirs)


def test_so_do_proof_files() -> None:
    """The log's own formats are held to the same."""
    for origin in (DECISIONS, OTHER):
        case = Case(World(decision_log=Log(origin, [b"before"] * 5)))
        ours = _two_logs("[0, 0, 1, 1]" if origin == OTHER else "[1, 1, 0, 0]")
        theirs = _two_logs("[1, 1, 0, 0]" if origin == OTHER else "[0, 0, 1, 1]")
        assert verify_log_proof(case.file(), ours, case.entry).origin == origin
        with pytest.raises(TrustError, match="its partition 2 belongs to the log"):
            verify_log_proof(case.file(), theirs, case.entry)

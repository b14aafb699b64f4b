"""A short storm, with the few faults that matter most; `make chaos` is the long one."""

import sys
from pathlib import Path

import pytest

from ..apache import make_kafka
from ..e2e.training import trained
from .run import chaos

SECONDS, RATE = 26.0, 200.0
# Scoring, a broker and the notary are killed within 10 s; then scoring stands still until its partitions are another's.
SEED = 1974


@pytest.mark.timeout(480)
def test_a_short_storm_changes_nothing(tmp_path: Path) -> None:
    """Kills, pauses, rebalances, one scoring process and four: a decision a transaction, in order, logged, the same bits.

    Fails if scoring goes on where it should not, twice or not at all, or if what wakes after its partition has moved can still
    write. Where Java or Maven is missing it is skipped.
    """
    (tmp_path / "release").mkdir()
    kafka = make_kafka(tmp_path / "kafka", 3)
    release = trained(tmp_path / "release", 1)
    found = chaos(tmp_path / "chain", kafka, release, SECONDS, RATE, SEED, lambda line: print(line, file=sys.stderr))
    assert found.held, found
    assert found.transactions == 2 * SECONDS * RATE
    assert found.kills >= 3
    assert found.recovery_p99_s < float("inf")

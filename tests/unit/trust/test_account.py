"""What is said of a bundle's time, by who anchors it."""

import pytest

from tallystick.trust import account
from tallystick.trust.anchors.verifying import VerifiedAnchor

from .helpers import World, trust_policy


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ([], "nothing anchors it outside"),
        (["evm"], "only a block that has to be looked up dates it"),
        (["evm", "rfc3161"], None),
    ],
)
def test_only_a_time_stamp_tells_when(kinds: list[str], said: str | None) -> None:
    """A block carries no signature that a file could show: it does not tell when the checkpoint was made."""
    anchors = [VerifiedAnchor("by", kind, 6, bytes(32), 0, "shown", "unchecked") for kind in kinds]
    left = account.unchecked(trust_policy().log_policy, World().decision, None, {}, anchors, [])
    when = [one for one in left if one.startswith("when the checkpoint was made")]
    assert [said in one for one in when if said] == ([True] if said else [])
    assert bool(when) == bool(said)

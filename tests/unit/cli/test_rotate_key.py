"""What `tallystick rotate-key` refuses to propose."""

import pytest

from tallystick.cli.approval import ApprovalError
from tallystick.cli.rotate_key.statement import next_log_key
from tallystick.trust.governance import replay

from ..trust.helpers import DECISIONS, GOVERNANCE, RECEIPTS, public, trust_policy


@pytest.mark.parametrize("name", [DECISIONS, RECEIPTS, "notary-clock"])
def test_a_key_that_something_else_has_is_not_proposed(name: str) -> None:
    """Another log's, the receipts' or a witness's: pasted by mistake, it must not come into the log."""
    policy = trust_policy()
    with pytest.raises(ApprovalError, match="the log would not accept it: the key is that of another log"):
        next_log_key(replay([], policy), policy, GOVERNANCE, public(name))


def test_a_new_key_is_proposed() -> None:
    """What nobody has may sign from then on."""
    policy = trust_policy()
    assert next_log_key(replay([], policy), policy, GOVERNANCE, public("new")).public_key == public("new")

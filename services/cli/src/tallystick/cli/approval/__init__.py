"""What it takes two people to say: a record that one approver proposes, and that another approves and sends to be logged.

`signatures` is the pure part, `flow` what `tallystick activate`, `enrol` and `revoke` have in common on the command line.
"""

from tallystick.cli.approval.flow import (
    Open,
    Proposed,
    add_approve,
    add_common,
    add_log,
    approve,
    failures_told,
    load_governance,
    propose,
    send,
)
from tallystick.cli.approval.governance_log import GovernanceLogError, read_governance, read_governance_entries
from tallystick.cli.approval.keys import SigningKeyError, generate_key, public_key_of, read_key, write_key
from tallystick.cli.approval.signatures import ApprovalError, check_signatures, signed

__all__ = [
    "ApprovalError",
    "GovernanceLogError",
    "Open",
    "Proposed",
    "SigningKeyError",
    "add_approve",
    "add_common",
    "add_log",
    "approve",
    "check_signatures",
    "failures_told",
    "generate_key",
    "load_governance",
    "propose",
    "public_key_of",
    "read_governance",
    "read_governance_entries",
    "read_key",
    "send",
    "signed",
    "write_key",
]

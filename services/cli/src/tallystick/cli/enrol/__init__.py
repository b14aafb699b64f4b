"""`tallystick enrol` and `tallystick revoke`: who may sign, by what two others say in the governance log.

One approver proposes a person's roles, another approves and sends them; neither may be the person. Name and key belong together
for good: whoever needs a new key is enrolled under a new name, and the old name revoked.
"""

from tallystick.cli.enrol.command import add_arguments, run
from tallystick.cli.enrol.enrolment import next_enrolment, next_revocation, open_enrolment_file

__all__ = ["add_arguments", "next_enrolment", "next_revocation", "open_enrolment_file", "run"]

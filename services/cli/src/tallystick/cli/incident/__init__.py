"""`tallystick incident`: how a partition of a decisions log goes on after a gap, by what two people say in the governance log.

One approver states what is missing and where the log goes on, another approves and sends it. The notary, scoring and `fsck`
apply it alike; the notary copies it into the decisions log, at the place of the gap.
"""

from tallystick.cli.incident.command import add_arguments, run
from tallystick.cli.incident.statement import next_incident, open_incident_file

__all__ = ["add_arguments", "next_incident", "open_incident_file", "run"]

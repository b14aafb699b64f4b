"""`tallystick completeness`: what independent sealers read of the input, held against the decisions in the log.

`reading` verifies what it takes out of logs and from sealers, `check` goes through both sides at one time, `answering` holds
what gateways answered without a decision against those that followed, `command` and `telling` say what came of it. What makes a
difference `trust.completeness` and `trust.answers` know.
"""

from tallystick.cli.completeness.command import add_arguments, run

__all__ = ["add_arguments", "run"]

"""`tallystick completeness`: what independent sealers read of the input, held against the decisions in the log.

`reading` verifies what it takes out of logs and from sealers, `check` goes through both sides at one time, `command` says what
came of it. What makes a difference `trust.completeness` knows.
"""

from tallystick.cli.completeness.command import add_arguments, run

__all__ = ["add_arguments", "run"]

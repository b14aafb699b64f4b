"""`tallystick accesses`: the records of who was shown evidence, held against the digests over them in the governance log.

`check` goes through both, `command` says what came of it.
"""

from tallystick.cli.accesses.command import add_arguments, run

__all__ = ["add_arguments", "run"]

"""`tallystick fsck`: every byte of the logs, hashed again and read for what it means, front to back.

`walk` hashes, `check` reads, `saved` keeps the place for another day, `command` says what came of it. It needs the logs'
public files and the trust policy, and nobody's word.
"""

from tallystick.cli.fsck.command import add_arguments, run

__all__ = ["add_arguments", "run"]

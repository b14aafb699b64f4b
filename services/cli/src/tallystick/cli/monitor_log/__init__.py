"""`tallystick monitor-log`: follow a log, keep its last head, and alarm with evidence if it is ever forked or rolled back.

`following` compares heads, `evidence` is what an alarm leaves, `keeping` has the files, `command` fetches, waits and says. It
follows any C2SP tiled log.
"""

from tallystick.cli.monitor_log.command import add_arguments, run

__all__ = ["add_arguments", "run"]

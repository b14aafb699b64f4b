"""`tallystick repair`: a log's hash tiles, damaged or lost, made anew from its entries, as its signed checkpoint has them.

`rebuilding` hashes the entries and finds what differs, `files` puts it in place, `command` says what came of it. Entries and
checkpoints are only read: no file but hash tiles is ever written, and none before the whole tree is
the checkpoint's, or that of the head which `--head` gives and which the checkpoint is a prefix of.
"""

from tallystick.cli.repair.command import add_arguments, run

__all__ = ["add_arguments", "run"]

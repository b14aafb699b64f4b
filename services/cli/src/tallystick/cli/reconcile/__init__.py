"""`tallystick reconcile`: what was cleared and paid, held against what was decided.

`clearing` reads the file, `tally` compares (pure), `command` says what came of it. The log says nothing about a
transaction's id or amount: the audit service opens them, to those it may, and each is held to what the decision commits to.
"""

from tallystick.cli.reconcile.command import add_arguments, run

__all__ = ["add_arguments", "run"]

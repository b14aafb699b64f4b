"""`tallystick backtest`: what another policy, or the challengers, would have made of decisions that are in the log.

`reading` gives the logged decisions of a time with what may be opened of their evidence, `trial` rules on them again, `tally`
counts what differs, `report` tells it. Thresholds need the log alone; rules, lists and money need the evidence.
"""

from tallystick.cli.backtest.command import add_arguments, run

__all__ = ["add_arguments", "run"]

"""`tallystick replay`: a decision executed again, from its disclosed features and the model's file, down to the margin's bits.

Two engines: XGBoost, which made the decision, and an evaluator of our own, which will still run when that XGBoost does not.
"""

from tallystick.cli.replay.command import add_arguments, run
from tallystick.cli.replay.trees import Trees, TreesError

__all__ = ["Trees", "TreesError", "add_arguments", "run"]

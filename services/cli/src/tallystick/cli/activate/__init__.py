"""`tallystick activate`: how a model comes into force, by two people and by what the governance log says.

`propose` reads the log, states the next activation of a slot and signs it; `approve`, run by somebody else, reads the log
again, shows what is to be activated, adds the second signature and sends it. `keygen` makes a person's key.
"""

from tallystick.cli.activate.activation import next_activation, open_activation
from tallystick.cli.activate.command import add_arguments, run

__all__ = ["add_arguments", "next_activation", "open_activation", "run"]

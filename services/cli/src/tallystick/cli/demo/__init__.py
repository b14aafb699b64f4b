"""`tallystick demo`: the whole chain on this machine, from generated transactions to a receipt that verifies.

Starts the embedded servers and every service as a process of its own, trains, publishes, approves, streams, fetches a proof,
verifies it, breaks it, replays the decision, and says what happened, on the screen and in `build/demo.json`.
"""

from tallystick.cli.demo.command import add_arguments, run

__all__ = ["add_arguments", "run"]

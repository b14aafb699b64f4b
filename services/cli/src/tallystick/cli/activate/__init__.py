"""`tallystick activate`: how a model comes into force, by two people and by what the governance log says.

`propose` reads the log, states the next activation of a slot and signs it; `approve`, run by somebody else, reads the log
again, shows what is to be activated, adds the second signature and sends it. `keygen` makes a person's key.
"""

from tallystick.cli.activate.activation import ActivationError, approve, next_activation, open_activation_file, propose
from tallystick.cli.activate.command import add_arguments, run
from tallystick.cli.activate.governance_log import GovernanceLogError, read_governance
from tallystick.cli.activate.keys import SigningKeyError, generate_key, public_key_of, read_key, write_key
from tallystick.cli.activate.publishing import send_activation

__all__ = [
    "ActivationError",
    "GovernanceLogError",
    "SigningKeyError",
    "add_arguments",
    "approve",
    "generate_key",
    "next_activation",
    "open_activation_file",
    "propose",
    "public_key_of",
    "read_governance",
    "read_key",
    "run",
    "send_activation",
    "write_key",
]

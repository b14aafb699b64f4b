"""`tallystick rotate-key`: a log gets another key, by what two approvers say in the governance log.

`make` has Vault make the key, which signs nothing yet. `propose` and `approve` put it into the governance log; from then on old
and new key both sign. Verifiers take up the new one (`tallystick policy update`) while both do. `retire` and `approve` end the
old key's time.
"""

from tallystick.cli.rotate_key.command import add_arguments, run
from tallystick.cli.rotate_key.statement import next_log_key, open_log_key_file

__all__ = ["add_arguments", "next_log_key", "open_log_key_file", "run"]

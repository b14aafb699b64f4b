"""`tallystick verify`: a proof bundle and a trust policy in, a verdict out.

No network, no clock and no other file. It imports only what it verifies with (trust, merkle, contracts) and rich to print.
"""

from tallystick.cli.verify.command import add_arguments, run
from tallystick.cli.verify.inputs import UnreadableError, read_bundle, read_file, read_policy
from tallystick.cli.verify.report import summary
from tallystick.cli.verify.screen import print_refusal, print_rows, visible

__all__ = [
    "UnreadableError",
    "add_arguments",
    "print_refusal",
    "print_rows",
    "read_bundle",
    "read_file",
    "read_policy",
    "run",
    "summary",
    "visible",
]

"""`tallystick verify`: the small verifier, framed on a terminal, and with the policy's rules evaluated again (`ruling`)."""

from argparse import Namespace
from contextlib import suppress

from tallystick.cli.verify.ruling import HiddenError, check_ruling, rule_bundle_again, told
from tallystick.cli.verify.screen import SCREEN
from tallystick.trust.bundle import VerifiedBundle
from tallystick.verifier import command
from tallystick.verifier.command import add_arguments

__all__ = ["add_arguments", "run"]


def run(args: Namespace) -> int:
    """Verify; return 0 if it is sound, 1 if it is not, 2 if it could not be tried."""
    return command.run(args, SCREEN, _ruled)


def _ruled(bundle: VerifiedBundle) -> str | None:
    with suppress(HiddenError):  # then it is among what is not checked
        if (again := rule_bundle_again(bundle)) is not None:
            check_ruling(bundle, again)
            return told(again)
    return None

"""`tallystick policy`: trust policies (whom a verifier believes), and scoring policies (what becomes of a margin).

`show` prints whom a policy believes, and its files' digests, to be compared by another channel. `update` writes a policy that
knows the keys which the governance log has added and retired, all of it verified under the policy that is there. Nobody's
policy changes but by a person who runs it. `publish` signs a scoring policy, written as `file` says, and sends it to be logged;
two approvers bring it into force (`tallystick activate`).
"""

from tallystick.cli.policy.command import add_arguments, run
from tallystick.cli.policy.update import updated_files

__all__ = ["add_arguments", "run", "updated_files"]

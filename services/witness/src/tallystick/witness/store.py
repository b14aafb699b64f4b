"""What a witness must never forget: for each log, what it cosigned last; and whose memory this is.

A state belongs to one key, for good. Whoever starts the key again with an empty or an older state has it cosign a second
history, which is what a witness promises never to do: so a state is made once, by `create`, and never silently.
"""

from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from tallystick.merkle.keys import VerifierKey
from tallystick.witness.decision import Head


class StateError(Exception):
    """The state is not there, is another key's, or cannot keep what it is given: a person must look."""


class StateUnavailableError(Exception):
    """The state cannot be read or written just now; trying again may help."""


class Store(Protocol):
    """Keeps a `Head` for each log; serves many calls at a time, and several processes on one state.

    Durability: when `replace` has returned True, the head outlives the end of the process and of the machine.
    Concurrency: of all `replace` calls with one `old`, in whatever process, at most one returns True.

    Every method raises StateUnavailableError if the state does not answer.
    """

    async def create(self, witness: VerifierKey) -> None:
        """Make the state of a new key. Raises StateError: there is one already."""

    async def check(self, witness: VerifierKey) -> None:
        """Say nothing if this key's state is there. Raises StateError: it is not, is another key's, or is not safe."""

    async def read(self, log_id: str) -> Head | None:
        """Return what was cosigned last for a log (`decision.log_id`), None if nothing ever was."""

    async def replace(self, old: Head | None, new: Head) -> bool:
        """Put `new` in the place of `old`, which `read` returned; if another stands there, change nothing and return False."""

    async def close(self) -> None:
        """Let go of the state."""


def no_state(where: str) -> StateError:
    """Say that there is no state."""
    return StateError(
        f"there is no state in {where}. If this key has never cosigned anything, make one: tallystick-witness --init."
        " If it has, its memory is lost: find it, or take a new key"
    )


def other_key(where: str, owner: str) -> StateError:
    """Say that the state is another key's (a verifier key)."""
    return StateError(f"the state in {where} is of another key, {owner}")


def sqlite_path(state: str) -> Path | None:
    """Return the path of `sqlite:///<absolute path>`, None if it is no such address."""
    parts = urlsplit(state)
    if parts.scheme != "sqlite" or parts.netloc or not parts.path.startswith("/") or parts.query or parts.fragment:
        return None
    return Path(unquote(parts.path))

"""The order of effects: look, decide, cosign, keep, and only then answer."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from tallystick.witness.decision import TEXT_TYPE, Refused, Submission, admit, decide, log_id
from tallystick.witness.key import WitnessKey
from tallystick.witness.logs import Logs
from tallystick.witness.store import StateError, StateUnavailableError, Store

ATTEMPTS = 20
_UNAVAILABLE = Refused(503, "this witness cannot keep what it would cosign, so it cosigned nothing; try again\n")
_BUSY = Refused(503, "too many checkpoints of this log at a time; try again\n")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The answer to a checkpoint that was cosigned and kept: signature lines."""

    text: str
    status: int = 200
    media_type: str = TEXT_TYPE


class Witness:
    """A key, a memory and a list of logs. `logs` may be replaced at any time."""

    def __init__(self, key: WitnessKey, store: Store, logs: Logs, clock: Callable[[], float] = time.time) -> None:
        self.logs = logs
        self.verifier = key.verifier
        self._key, self._store, self._clock = key, store, clock
        self._trusted = False
        self._forgotten = False

    async def check(self) -> None:
        """Look whether the state is there, ours and answering; until it once was, nothing is cosigned.

        Raises:
            StateError: it is not there, another key's, or has forgotten what this key cosigned.
            StateUnavailableError: it does not answer.
        """
        await self._store.check(self.verifier)
        if self._forgotten:
            raise StateError("the state has lost what this key has cosigned: nothing is cosigned any more")
        self._trusted = True

    async def add_checkpoint(self, body: bytes) -> Cosigned | Refused:
        """Answer an add-checkpoint request."""
        submission = admit(body, self.logs, self.verifier)
        if isinstance(submission, Refused):
            return submission
        if not self._trusted or self._forgotten:
            return _UNAVAILABLE
        try:
            return await self._cosign(submission)
        except (StateUnavailableError, StateError) as error:
            _log.error("cannot keep state: %s", error)
            return _UNAVAILABLE

    async def latest(self, log: str) -> bytes | None:
        """Return the checkpoint cosigned last for a log, with the log's signatures and ours. `log` is a `decision.log_id`.

        Raises:
            StateUnavailableError, StateError: the state does not answer.
        """
        head = await self._store.read(log)
        return head.note if head else None

    async def _cosign(self, submission: Submission) -> Cosigned | Refused:
        log = log_id(submission.checkpoint.origin)
        for _ in range(ATTEMPTS):
            stored = await self._store.read(log)
            decided = decide(submission, stored, int(self._clock()))
            if isinstance(decided, Refused):
                self._report(decided, submission, stored.note if stored else b"")
                return decided
            head, line = self._key.cosign(decided)
            # Equal notes: asked twice in one second, and kept already.
            if head == stored or await self._store.replace(stored, head):
                return Cosigned(line)
        return _BUSY

    def _report(self, refused: Refused, submission: Submission, kept: bytes) -> None:
        # The notes are public, and together they are the proof: two trees of one size, both signed by the log.
        notes = {"submitted": _note(submission), "cosigned_last": kept.decode()}
        if refused.forked:
            _log.error("a log has signed two trees of one size", extra=notes)
        if refused.forgotten:
            self._forgotten = True
            _log.critical("this state has lost a checkpoint that this key cosigned; nothing is cosigned any more", extra=notes)


def _note(submission: Submission) -> str:
    return submission.text.decode() + "\n" + "".join([line.encode() for line in submission.signatures])

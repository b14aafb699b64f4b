"""A log's witnesses, asked for their cosignatures all at once: a quorum in time is enough, and nobody else is waited for.

Each witness has a worker, which asks it about one checkpoint at a time, and next about the newest one: so a slow witness
follows as well as it can, and no request is left behind. A worker's witness may be dead, slow, wrong or lying; that is said of
it in `states`, it is asked again after a pause that grows, and it is in nobody's way as long as the others make a quorum.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.keys import VerifierKey
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.merkle.policy import LogPolicy
from tallystick.notary.effects import KnownHead
from tallystick.notary.errors import NotaryError, UnavailableError
from tallystick.notary.witness_http import Endpoint
from tallystick.notary.witness_messages import (
    Expected,
    WitnessError,
    add_checkpoint,
    head_path,
    read_cosigned,
    read_head,
    with_cosignatures,
)
from tallystick.runtime.backoff import Backoff

COMPONENT = "witnesses"
GRACE_S = 0.05
"""How long a quorum waits for the other witnesses, if they are no slower than they were."""
BACKOFF = Backoff(first_s=0.2, cap_s=5.0)
MAX_TURNS = 3
"""How often a witness may say that it stands elsewhere before that is its fault: others may submit checkpoints, too."""
Prove = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""Returns the consistency proof from one size of the log to another. Raises UnavailableError, NotaryError."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WitnessState:
    """What is known of a witness: the size it last cosigned and when it said so (s since 1970), and what is wrong with it."""

    size: int | None
    time_s: int | None
    error: str | None


@dataclass(slots=True)
class _Round:
    """A checkpoint on its way to a quorum."""

    checkpoint: Checkpoint
    note: Note
    prove: Prove
    policy: LogPolicy
    awaited: set[str]
    lines: dict[str, SignatureLine] = field(default_factory=dict)
    failure: Exception | None = None
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    def done(self, name: str, line: SignatureLine | None = None) -> None:
        """Take what a witness's worker came back with; nothing, if the witness failed."""
        if line is not None:
            self.lines[name] = line
        if self.policy.has_quorum(self.lines):
            self.enough.set()
        self.awaited.discard(name)
        if not self.awaited:
            self.settled.set()

    def fail(self, error: Exception) -> None:
        """End the round: it is this machine that cannot go on."""
        self.failure = error
        self.enough.set()


class _Worker:
    """Asks one witness about one log."""

    def __init__(self, name: str, key: VerifierKey, endpoint: Endpoint, origin: str, backoff: Backoff) -> None:
        self.name, self._key, self._endpoint, self._origin, self._backoff = name, key, endpoint, origin, backoff
        self.size: int | None = None
        self.time_s: int | None = None
        self.error: str | None = None
        self._failures = 0
        self._not_before_s = float("-inf")
        self._newest: _Round | None = None
        self._wake = asyncio.Event()
        self._busy = False

    @property
    def prompt(self) -> bool:
        """True if it will be asked at once: the last question is answered, and it is not left alone for a while."""
        return not self._busy and time.monotonic() >= self._not_before_s

    def ask(self, turn: _Round) -> None:
        """Ask about this checkpoint as soon as may be, and about none before it."""
        self._newest = turn
        self._wake.set()

    async def run(self) -> None:
        """Ask, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._not_before_s - time.monotonic())
            self._wake.clear()
            if self._newest is not None:
                await self._turn(self._newest)

    async def _turn(self, turn: _Round) -> None:
        self._busy = True
        try:
            line = await self._cosign(turn)
        except WitnessError as error:
            self._failed(str(error))
            turn.done(self.name)
            self._wake.set()  # again, after the pause, though others make the quorum: whoever knows the newest head guards it
        except (UnavailableError, NotaryError) as error:
            turn.fail(error)
        else:
            self._succeeded()
            turn.done(self.name, line)
        finally:
            self._busy = False

    async def head(self, known: LogPolicy) -> Checkpoint | None:
        """Return the witness's latest checkpoint of the log, None if it has none. Raises WitnessError."""
        try:
            answer = await self._endpoint.get(head_path(self._origin))
            head = read_head(answer, self._origin, known, self._key)
        except WitnessError as error:
            self._failed(str(error))
            raise
        self.size = head.size if head else 0
        self._succeeded()
        return head

    async def _cosign(self, turn: _Round) -> SignatureLine:
        checkpoint = turn.checkpoint
        old = min(self.size or 0, checkpoint.size)
        for _ in range(MAX_TURNS):
            proof = await turn.prove(old, checkpoint.size)
            body = add_checkpoint(old, proof, turn.note.encode())
            answer = await self._endpoint.post("add-checkpoint", body)
            found = read_cosigned(answer, turn.note.text, self._key, time.time())
            if not isinstance(found, Expected):
                self.size, self.time_s = checkpoint.size, found.time_s
                return found.line
            if found.size == old:
                raise WitnessError("it says that it cosigned another tree of this size")
            if found.size > checkpoint.size:
                raise WitnessError(f"it has cosigned {found.size:,} entries already, more than the log's {checkpoint.size:,}")
            old = found.size
        raise WitnessError(f"asked {MAX_TURNS} times, it stands elsewhere each time")

    def _failed(self, error: str) -> None:
        if self.error is None:
            _log.warning("witness %s: %s", self.name, error, extra={"origin": self._origin})
        self.error = error
        self._not_before_s = time.monotonic() + self._backoff.delay_s(self._failures)
        self._failures += 1

    def _succeeded(self) -> None:
        if self.error is not None:
            _log.info("witness %s is well again", self.name, extra={"origin": self._origin})
        self.error, self._failures, self._not_before_s = None, 0, float("-inf")


class Witnesses:
    """One log's witnesses. `run` must be running for `cosign` to come to anything.

    Args:
        policy: the witnesses, their addresses, and the quorum, which is not none; who has no address is not asked.
        origin: the log.
        http: see `witness_http.client`.
        deadline_s: how long a quorum, and any one answer, is waited for.
        report: told each time whether there is a quorum: None, or why not.
        grace_s: how long a quorum waits for the other witnesses.
        backoff: the pauses after a witness's failures.

    """

    def __init__(
        self,
        policy: LogPolicy,
        origin: str,
        http: httpx.AsyncClient,
        *,
        deadline_s: float,
        report: Callable[[str | None], None] = lambda _: None,
        grace_s: float = GRACE_S,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self._report = report
        self._policy, self._origin = policy, origin
        self._deadline_s, self._grace_s = deadline_s, grace_s
        self._workers = {
            name: _Worker(name, policy.witnesses[name], Endpoint(http, url, deadline_s), origin, backoff)
            for name, url in policy.witness_urls.items()
        }

    @property
    def states(self) -> dict[str, WitnessState]:
        """What is known of each witness, by its name in the policy."""
        return {name: WitnessState(worker.size, worker.time_s, worker.error) for name, worker in self._workers.items()}

    async def run(self) -> None:
        """Ask whatever is to be asked, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, worker in self._workers.items():
                tasks.create_task(worker.run(), name=f"witness {name} of {self._origin}")

    async def cosign(self, checkpoint: Checkpoint, note: bytes, prove: Prove) -> bytes:
        """Return the signed note with the cosignatures of a quorum, and of whoever else answered in time.

        Raises:
            UnavailableError: there is no quorum within the deadline, or `prove` failed.
            NotaryError: `prove` failed.

        """
        prompt = {name for name, worker in self._workers.items() if worker.prompt}
        turn = _Round(checkpoint, Note.parse(note), prove, self._policy, prompt)
        for worker in self._workers.values():
            worker.ask(turn)
        try:
            async with asyncio.timeout(self._deadline_s):
                await turn.enough.wait()
        except TimeoutError:
            raise self._unavailable(turn.lines) from None
        if turn.failure is not None:
            raise turn.failure
        self._report(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace_s):
                await turn.settled.wait()
        return with_cosignatures(turn.note, [turn.lines[name] for name in self._workers if name in turn.lines]).encode()

    async def heads(self, known: LogPolicy) -> list[KnownHead]:
        """Return the latest checkpoint that each witness has cosigned and one of the log's keys, as `known`, has signed.

        Raises:
            UnavailableError: fewer than a quorum say what they have, be it nothing, within the deadline.

        """
        answers = await asyncio.gather(*(self._head(worker, known) for worker in self._workers.values()))
        answered = {name: head for name, head in zip(self._workers, answers, strict=True) if not isinstance(head, WitnessError)}
        if not self._policy.has_quorum(answered):
            raise self._unavailable(answered)
        return [KnownHead(f"the checkpoint that witness {name} cosigned", head) for name, head in answered.items() if head]

    async def _head(self, worker: _Worker, known: LogPolicy) -> Checkpoint | WitnessError | None:
        try:
            return await worker.head(known)
        except WitnessError as error:
            return error

    def _unavailable(self, answered: Collection[str]) -> UnavailableError:
        missing = [
            f"{name}: {worker.error or 'no answer in time'}" for name, worker in self._workers.items() if name not in answered
        ]
        reason = f"{', '.join(answered) or 'nobody'} for the quorum {self._policy.quorum}; {'; '.join(missing)}"
        self._report(reason)
        return UnavailableError(COMPONENT, reason)

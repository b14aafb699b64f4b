"""A notary's life in a process of its own, killed (SIGKILL) when a given line of the notary's code is about to run.

All of it is real but the topic, which is a list, so that every life meets the same batches: files or bucket, PostgreSQL, Vault.
"""

import asyncio
import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import tallystick.notary
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.merkle.policy import LogPolicy
from tallystick.notary.bucket import LogBucket
from tallystick.notary.database import Database, Ledger
from tallystick.notary.directory import LogDirectory
from tallystick.notary.errors import UnavailableError
from tallystick.notary.intake import Batch, DecisionIntake
from tallystick.notary.keyring import REFRESH_S, Keyring
from tallystick.notary.pipeline import Pipeline
from tallystick.notary.receipts import ReceiptSigner
from tallystick.notary.signer import NoteSigner
from tallystick.notary.storage import LogStorage
from tallystick.notary.witness_http import client
from tallystick.notary.witnesses import Witnesses
from tallystick.notary.world import World
from tallystick.runtime.bucket import Bucket
from tallystick.runtime.health import Health
from tallystick.runtime.settings import DatabaseSettings, S3Settings, VaultSettings
from tallystick.runtime.vault import Vault
from tallystick.trust.policy import TrustPolicy

from ...unit.notary.stand import Stored, Topic, decision

SOURCES = str(Path(tallystick.notary.__file__).parent)
MAX_WAITS = 300
TROUBLED_PHASE = 2
TROUBLE_LASTS_WAITS = 4
KEY_PHASE = 2
"""When the governance log gives the log its second key."""
LATER = "later.checkpoint"
"""The name beside the governance log of its second head, until that is published."""
PATIENCE_S = 30.0
"""How long a witness is waited for: for what it needs on a busy machine, so that the same lines run each time."""
NOBODY = 65534
ERROR = "ended by "
"""How last words begin that are an error's."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the notary's code, the first time it runs in a phase: 0 lasts until the first fetch, 1 until the second."""

    file: str
    number: int
    phase: int


@dataclass(frozen=True, slots=True)
class Life:
    """Where a notary lives, and when it dies."""

    log: str
    origin: str
    database_url: str
    password_file: Path
    vault_addr: str
    token_file: Path
    public: Path
    staging: Path
    bucket_url: str | None = None
    s3: S3Settings | None = None
    kill_at: Line | None = None
    trouble: str | None = None
    """Which of `TROUBLES` begins at the line `trouble_at`, and passes after some waits."""
    trouble_at: Line | None = None
    words_file: Path = Path()
    """Where it says why it ended, or what it waited for."""
    clock_jumps_s: int = 0
    """If not 0, notes are cosigned by the clock too, which from phase 2 on goes this much wrong."""
    vault_timeout_s: float = 5.0
    trust: Path | None = None
    """The folder of a trust policy with a witness, and of the governance log: see `overseers`."""
    lines_file: Path | None = None
    """Where the lines are written that ran, if nobody kills it."""

    @property
    def key(self) -> str:
        """The signing key's name in Vault."""
        return f"notary-{self.log}"

    @property
    def receipt_key(self) -> str:
        """The name in Vault of the key that signs for receipts."""
        return f"receipts-{self.log}"

    @property
    def topic(self) -> str:
        """The input topic: each log has one of its own, because the index is kept by topic."""
        return f"transactions-{self.log}"

    def storage(self) -> LogStorage:
        """Return where the files are."""
        if self.bucket_url is not None and self.s3 is not None:
            return LogBucket(Bucket(self.bucket_url, self.s3))
        return LogDirectory(self.public, self.staging)

    def batches(self) -> tuple[Batch, ...]:
        """Return what is to be logged: 3, then full tiles with repeats and a malformed record, then more of both."""

        def made(partition: int, sequences: range, offset: int) -> list[Stored]:
            return [
                Stored(partition, offset + at, decision(partition, sequence, source_topic=self.topic))
                for at, sequence in enumerate(sequences)
            ]

        return (
            {0: made(0, range(3), 0)},
            {0: [*made(0, range(1, 4), 3), Stored(0, 6, b"\xff")], 1: made(1, range(300), 0)},
            {1: made(1, range(300, 500), 300), 0: made(0, range(4, 60), 7)},
        )

    def expected(self) -> dict[int, list[int]]:
        """Return the sequence numbers that must be logged in the end, by partition."""
        return {0: list(range(60)), 1: list(range(500))}


def publish_later(trust: Path) -> None:
    """Publish the governance log's second head, as another process would: whole or not at all."""
    fresh = trust / "checkpoint.new"
    shutil.copy(trust / LATER, fresh)
    fresh.replace(trust / "governance/checkpoint")


class CountingTopic(Topic):
    """A topic that tells how often it was asked."""

    asked: Callable[[], None]

    async def fetch(self, timeout_s: float) -> Batch:
        """See `Source`."""
        self.asked()
        return await super().fetch(timeout_s)


class Nobody:
    """Announces to nobody."""

    async def announce(self, checkpoint: Checkpoint, note: bytes) -> None:
        """See `Effects`."""


class Trouble(Protocol):
    """What happens to a process from outside, for a while."""

    def begin(self) -> None:
        """Make it so."""

    def end(self) -> None:
        """Make it good again."""


class Limited:
    """A resource is used up: files cannot grow beyond a size, as on a full disk, or no more can be opened."""

    def __init__(self, resource_: int, limit: int) -> None:
        self._resource, self._limit = resource_, limit
        self._before = resource.getrlimit(resource_)

    def begin(self) -> None:
        """See `Trouble`."""
        resource.setrlimit(self._resource, (self._limit, self._before[1]))

    def end(self) -> None:
        """See `Trouble`."""
        resource.setrlimit(self._resource, self._before)


class ReadOnly:
    """Directories that may not be written to; root, who may all the same, becomes somebody else for that time."""

    def __init__(self, *roots: Path) -> None:
        self._roots = roots

    def begin(self) -> None:
        """See `Trouble`."""
        self._set_mode(0o555)
        if os.getuid() == 0:
            os.seteuid(NOBODY)

    def end(self) -> None:
        """See `Trouble`."""
        if os.getuid() == 0:
            os.seteuid(0)
        self._set_mode(0o755)

    def _set_mode(self, mode: int) -> None:
        for root in self._roots:
            for path in (root, *(below for below in root.rglob("*") if below.is_dir())):
                path.chmod(mode)


TROUBLES: Mapping[str, Callable[[Life], Trouble]] = {
    "public directory read-only": lambda life: ReadOnly(life.public),
    "staging directory read-only": lambda life: ReadOnly(life.staging),
    "no room at all": lambda life: Limited(resource.RLIMIT_FSIZE, 0),
    "room for no checkpoint": lambda life: Limited(resource.RLIMIT_FSIZE, 100),
    "room for a checkpoint": lambda life: Limited(resource.RLIMIT_FSIZE, 1_000),
    "room for all but one tile": lambda life: Limited(resource.RLIMIT_FSIZE, 8_191),
    "room for tiles, not for bundles": lambda life: Limited(resource.RLIMIT_FSIZE, 8_192),
    "no file can be opened": lambda life: Limited(resource.RLIMIT_NOFILE, 3),
}


class Reaper:
    """Watches which lines of the notary run, in every thread, and kills the process at one of them."""

    def __init__(self, life: Life) -> None:
        self._kill_at, self._trouble_at = life.kill_at, life.trouble_at
        self.trouble: Trouble | None = None
        self.phase = 0
        self.seen: dict[Line, None] = {}

    def watch(self) -> None:
        """Begin."""
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any] | None:
        return self._step if frame.f_code.co_filename.startswith(SOURCES) else None

    def _step(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
        if event == "line":
            line = Line(Path(frame.f_code.co_filename).name, frame.f_lineno, self.phase)
            if line == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)  # until it strikes; nothing more is done
            if line == self._trouble_at and self.trouble is not None and line not in self.seen:
                self.seen[line] = None
                self.trouble.begin()
            self.seen[line] = None
        return self._step


def live(life: Life) -> None:
    """Take the log over, log what is left of the batches, and end; exit code 1 and last words if that cannot be."""
    reaper = Reaper(life)
    words: list[str] = []
    try:
        asyncio.run(_live(life, reaper, words))
    except Exception as error:  # noqa: BLE001  whatever it is: it is written down, and the exit code says so
        life.words_file.write_text(f"{ERROR}{type(error).__name__}: {error}")
        sys.exit(1)
    life.words_file.write_text("\n".join(words))
    if life.lines_file is not None:
        lines = [[line.file, line.number, line.phase] for line in reaper.seen]
        life.lines_file.write_text(json.dumps(lines))


class AllVersions:
    """Every version of a key in Vault is the log's: see `Allowed`."""

    def __init__(self, vault: Vault, key: str) -> None:
        self._vault, self._key = vault, key

    async def signing(self, origin: str) -> frozenset[bytes]:
        """See `Allowed`."""
        return frozenset((await self._vault.public_keys(self._key)).values())

    async def known(self, origin: str) -> LogPolicy:
        """See `Allowed`."""
        keys = tuple((VerifierKey.make(origin, ED25519, key), None) for key in await self.signing(origin))
        return LogPolicy(keys, {}, {}, (), None)


async def _live(life: Life, reaper: Reaper, words: list[str]) -> None:
    database = Database(DatabaseSettings(database_url=life.database_url, database_password_file=life.password_file))
    settings = VaultSettings(
        vault_addr=life.vault_addr, vault_auth="token", vault_token_file=life.token_file, vault_timeout_s=life.vault_timeout_s
    )
    vault, topic = Vault(settings), CountingTopic(life.batches())
    reaper.trouble = trouble = TROUBLES[life.trouble](life) if life.trouble is not None else None

    def asked() -> None:
        reaper.phase += 1
        if life.trust is not None and reaper.phase == KEY_PHASE:
            publish_later(life.trust)

    def clock_s() -> float:
        return time.time() + (life.clock_jumps_s if reaper.phase >= TROUBLED_PHASE else 0)

    topic.asked = asked
    health, clock = Health("notary"), clock_s if life.clock_jumps_s else None
    async with AsyncExitStack() as stack:
        if life.trust is None:
            signer, witnesses = NoteSigner(vault, life.key, life.origin, AllVersions(vault, life.key), clock), None
        else:
            keyring, witnesses = await stack.enter_async_context(overseen(life, life.trust, health))
            signer = NoteSigner(vault, life.key, life.origin, keyring, clock)
        world = World(
            life.storage(),
            Ledger(database, life.log, life.origin, life.topic, frozenset({0, 1})),
            signer,
            Nobody(),
            health,
            "main",
            cosigners=witnesses,
            receipts=ReceiptSigner(vault, life.receipt_key, life.origin),
        )
        pipeline = Pipeline(life.origin, DecisionIntake(life.topic), world, topic, clock=time.monotonic)
        if life.kill_at or life.trouble_at or life.lines_file:
            reaper.watch()
        if witnesses is not None:
            asking = asyncio.create_task(witnesses.run())
            stack.callback(asking.cancel)
        await _log_all(pipeline, topic, words, trouble)
    sys.settrace(None)
    threading.settrace(None)
    await database.close()
    vault.close()


@asynccontextmanager
async def overseen(life: Life, trust: Path, health: Health) -> AsyncIterator[tuple[Keyring, Witnesses]]:
    """Return what an overseen log's keys are known by, and its witnesses; the governance log is looked at each time."""
    policy, looks = TrustPolicy.load(trust), count()
    keyring = Keyring(policy, LogDirectory(trust / "governance", trust / "staging"), health, lambda: next(looks) * REFRESH_S)
    async with client() as http:
        yield keyring, Witnesses(policy.log_policy, life.origin, http, deadline_s=PATIENCE_S, grace_s=PATIENCE_S)


async def _log_all(pipeline: Pipeline, topic: Topic, words: list[str], trouble: Trouble | None) -> None:
    waits = 0
    while not topic.exhausted:
        try:
            await pipeline.recover()
            while not topic.exhausted:
                await pipeline.round()
        except UnavailableError as error:
            words.append(str(error))
            waits += 1
            if trouble is not None and waits == TROUBLE_LASTS_WAITS:
                trouble.end()
            if waits == MAX_WAITS:
                raise
            await asyncio.sleep(0.03)


def first_line_of(function: Callable[..., object], phase: int) -> Line:
    """Return the first line of a function's body."""
    code = function.__code__
    number = min(line for _, _, line in code.co_lines() if line is not None and line > code.co_firstlineno)
    return Line(Path(code.co_filename).name, number, phase)

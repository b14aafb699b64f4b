"""What outlives a killed notary: a witness, a process of its own, and the governance log, which another notary writes.

The governance log begins without, and goes on with, an entry that gives the log the second version of its key. Both heads are
cosigned by the witness before anybody lives; the second one is published when a notary asks for the batch that fills tiles.
"""

import base64
import hashlib
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from tallystick.cli.demo.witnesses import LocalWitness
from tallystick.contracts import EntryKind
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.merkle.tiles import TileBuilder, consistency_proof

from ...unit.cli.logs import publish
from ...unit.trust.helpers import DECISIONS, GOVERNANCE, Log, log_key, public, trust_toml
from .mortal import LATER

WITNESS = "w1"
KNOWN_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Trusted:
    """A log's origin, the two versions of its key, and the folder for its trust policy and its governance log."""

    origin: str
    keys: tuple[bytes, bytes]
    folder: Path


class Overseer:
    """The witness; a context manager. It learns of each log that it is to oversee."""

    def __init__(self, home: Path) -> None:
        self._witness = LocalWitness(home / WITNESS, home / f"{WITNESS}.log", {})
        self._logs = b""

    def __enter__(self) -> Self:
        self._witness.create_state()
        return self

    def __exit__(self, *_: object) -> None:
        self._witness.process.stop()

    @property
    def key(self) -> VerifierKey:
        """The key that it cosigns with."""
        return self._witness.described.key

    def oversee(self, log: Trusted) -> None:
        """Make a log's trust policy and its governance log, and let the witness know both logs."""
        governance = f"{log.origin}-governance"
        keys = [VerifierKey.make(log.origin, ED25519, log.keys[0]), VerifierKey.make(governance, ED25519, public(governance))]
        logs = "".join(f"log {key}\n" for key in keys).encode()
        witness = f"witness {WITNESS} {self.key} {self._witness.described.url}\nquorum {WITNESS}\n".encode()
        log.folder.mkdir()
        (log.folder / "log.policy").write_bytes(logs + witness)
        named = {GOVERNANCE: governance, DECISIONS: log.origin, "notary-clock": WITNESS}
        (log.folder / "trust.toml").write_bytes(trust_toml(None, **named))
        self._know(logs, governance)

        before, after = Log(governance), Log(governance)
        for each in (before, after):
            each.append(EntryKind.ENTRY_KIND_REPORT, b"")
        added = log_key("", origin=log.origin, log=governance, public_key=log.keys[1])
        after.append(EntryKind.ENTRY_KIND_LOG_KEY, added)
        heads = [self._cosigned(before, 0), self._cosigned(after, len(before.entries))]
        for grown, note in ((after, heads[1]), (before, heads[0])):
            publish(grown, log.folder / "governance", note)
        (log.folder / LATER).write_bytes(heads[1])

    def head(self, origin: str) -> bytes | None:
        """Return the checkpoint that it cosigned last, as it serves it."""
        answer = httpx.get(f"{self._url}/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint", timeout=30)
        return answer.content if answer.status_code == httpx.codes.OK else None

    @property
    def _url(self) -> str:
        return str(self._witness.described.url)

    def _know(self, logs: bytes, origin: str) -> None:
        """Wait until the witness knows the logs: told to read its list again, it does so a moment later."""
        self._logs += logs
        self._witness.know(self._logs)
        process = self._witness.process
        if process.is_alive:
            process.send(signal.SIGHUP)
        else:
            process.start()
            process.wait_ready()
        strange = Log(origin).checkpoint(signer="a stranger", cosigners=())
        deadline_s = time.monotonic() + KNOWN_WITHIN_S
        while self._ask(0, [], strange).status_code == httpx.codes.NOT_FOUND:
            assert time.monotonic() < deadline_s, f"the witness does not know {origin}"
            time.sleep(0.05)

    def _cosigned(self, log: Log, old: int) -> bytes:
        builder = TileBuilder()
        tiles = builder.append(leaf_hashes(log.entries))
        note = log.checkpoint(cosigners=())
        proof = consistency_proof(old, builder.size, tiles.__getitem__) if old else []
        answer = self._ask(old, proof, note)
        assert answer.status_code == httpx.codes.OK, answer.text
        return note + answer.content

    def _ask(self, old: int, proof: list[bytes], note: bytes) -> httpx.Response:
        lines = [f"old {old}", *(base64.b64encode(node).decode() for node in proof), "", ""]
        return httpx.post(f"{self._url}/add-checkpoint", content="\n".join(lines).encode() + note, timeout=30)

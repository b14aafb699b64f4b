"""What decisions were made under, made ready to execute: models, lists and engines by activation, each once."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from tallystick.cli.audit import AuditClient
from tallystick.cli.replay.engines import Engine
from tallystick.cli.replay.executing import Under
from tallystick.cli.replay.trees import MAX_MODEL_BYTES
from tallystick.cli.verify.ruling import member_list
from tallystick.trust.governance import Governance, VerifiedActivation
from tallystick.trust.records import CHALLENGER
from tallystick.verifier.inputs import UnreadableError, read_file

ReadModel = Callable[[bytes], Awaitable[bytes]]
"""Returns a model's file by its SHA-256; raises UnreadableError."""


class Made:
    """Everything that decisions of a governance log are made under.

    Args:
        governance: the log, replayed.
        read_model: where models' files are.
        engines: what executes them.
        threads: how many may work in each.
        lists: the folder with lists' files and keys; None: no list is asked.
    """

    def __init__(
        self, governance: Governance, read_model: ReadModel, engines: Iterable[Engine], threads: int, lists: Path | None
    ) -> None:
        self.activations: Mapping[int, VerifiedActivation] = {one.index: one for one in governance.activations}
        self._read_model = read_model
        self._engines = tuple(engines)
        self._threads = threads
        self._lists = lists
        self._ready: dict[int, Under] = {}

    @property
    def challengers(self) -> list[int]:
        """The activations of challengers."""
        return [index for index, one in self.activations.items() if one.slot.startswith(CHALLENGER)]

    async def under(self, index: int) -> Under:
        """Return what decisions under an activation are executed with. Raises UnreadableError, EngineError, RuleError."""
        if index not in self._ready:
            activation = self.activations[index]
            file = await self._read_model(activation.model.digest)
            engines = {engine.__name__: engine(file, self._threads) for engine in self._engines}
            lists = [None if self._lists is None else member_list(item, self._lists) for item in activation.policy.lists]
            self._ready[index] = Under(activation, engines, lists)
        return self._ready[index]


def erased_keys(governance: Governance) -> frozenset[bytes]:
    """Return the ids of the keys that were destroyed, by erasures that count."""
    return frozenset(key_id for erasure in governance.erasures for key_id in erasure.key_ids)


def models_in(folder: Path) -> ReadModel:
    """Return what reads models from a folder of `<SHA-256>.json`."""

    async def read(digest: bytes) -> bytes:
        return _checked(read_file(str(folder / f"{digest.hex()}.json"), MAX_MODEL_BYTES), digest, folder)

    return read


def models_at(audit: AuditClient) -> ReadModel:
    """Return what asks an audit service for models; it raises AuditUnavailableError, too."""

    async def read(digest: bytes) -> bytes:
        return _checked(await audit.model(digest), digest, "the audit service")

    return read


def _checked(file: bytes, digest: bytes, where: object) -> bytes:
    if sha256(file).digest() != digest:
        raise UnreadableError(f"the model {digest.hex()} at {where} is another file: its SHA-256 is {sha256(file).hexdigest()}")
    return file

"""Follows a decisions log and tells coverage what it holds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.tiles import frontier
from tallystick.runtime.log_reader import LogReader
from tallystick.scoring.coverage import Coverage, CoverageError
from tallystick.trust.policy import TrustPolicy


class Follower:
    """A decisions log from a verified checkpoint on.

    Args:
        reader: the log.
        policy: whose signatures count.
        origin: the log's name.
        monotonic: seconds; ages of uncovered decisions are taken from it.
    """

    def __init__(self, reader: LogReader, policy: TrustPolicy, origin: str, monotonic: Callable[[], float]) -> None:
        self.reader = reader
        self.origin = origin
        self._policy = policy
        self._monotonic = monotonic
        self._checkpoint: Checkpoint | None = None
        self._coverage: Coverage | None = None

    @property
    def coverage(self) -> Coverage:
        """What of the emitted decisions the log holds."""
        assert self._coverage is not None, "start first"  # noqa: S101 - a mistake of ours, not of the log
        return self._coverage

    async def start(self) -> None:
        """Take the log's current head as the beginning. Raises as `follow`."""
        checkpoint = await self._verified()
        with _readable():
            edge = await self.reader.compute(lambda read: frontier(checkpoint.size, read))
        if edge.root() != checkpoint.root:
            raise CoverageError(f"the log's tiles do not lead to its checkpoint of {checkpoint.size} entries")
        self._checkpoint, self._coverage = checkpoint, Coverage(edge)

    async def follow(self) -> Sequence[float]:
        """Follow the log to its current head and return how long each newly covered decision took, in seconds.

        Raises:
            CoverageError: if the log contradicts itself or what was verified before.
            OSError: if it cannot be read; try again.
        """
        checkpoint = await self._verified()
        if checkpoint.size < self.coverage.size:
            raise CoverageError(f"the log went back from {self.coverage.size} to {checkpoint.size} entries")
        with _readable():
            leaves = await self.reader.leaf_hashes(self.coverage.size, checkpoint.size, checkpoint.size)
        emitted = self.coverage.advance(leaves, checkpoint)
        self._checkpoint = checkpoint
        now_s = self._monotonic()
        return [now_s - at for at in emitted]

    def head(self) -> Checkpoint:
        """Return the newest verified checkpoint."""
        assert self._checkpoint is not None, "start first"  # noqa: S101 - a mistake of ours, not of the log
        return self._checkpoint

    async def _verified(self) -> Checkpoint:
        with _readable():
            data = await self.reader.checkpoint()
        try:
            return self._policy.log_policy.verify_checkpoint(data, self.origin).checkpoint
        except ValueError as error:
            raise CoverageError(f"the checkpoint of {self.origin} is refused: {error}") from error


@contextmanager
def _readable() -> Iterator[None]:
    """Say of bytes that are not what was asked for (a truncated tile) that the log contradicts itself."""
    try:
        yield
    except ValueError as error:
        raise CoverageError(f"the decisions' log cannot be followed: {error}") from error

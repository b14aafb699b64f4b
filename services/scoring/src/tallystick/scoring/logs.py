"""The decisions' logs of the owned partitions: each followed by itself, and together what emitting may not run ahead of."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.runtime.log_reader import LogReader
from tallystick.scoring.coverage import Limit
from tallystick.scoring.follower import Follower
from tallystick.scoring.settings import ScoringSettings
from tallystick.trust.policy import TrustPolicy, log_name


class FollowedLogs:
    """The logs that hold the decisions on some partitions, which the trust policy names; `followed` makes one.

    Args:
        followers: by partition, started; partitions of one log have the same one.
    """

    def __init__(self, followers: Mapping[int, Follower]) -> None:
        self._by_partition = followers
        self._followers = tuple({follower.origin: follower for follower in followers.values()}.values())

    @classmethod
    async def followed(
        cls,
        stack: AsyncExitStack,
        settings: ScoringSettings,
        policy: TrustPolicy,
        partitions: Iterable[int],
        monotonic: Callable[[], float],
    ) -> "FollowedLogs":
        """Open the logs of these partitions, to be closed with `stack`, from their current heads on. Raises as `follow`."""
        followers: dict[str, Follower] = {}
        by_partition = {}
        for partition in partitions:
            origin = policy.decisions_origin(settings.source_topic, partition)
            if origin not in followers:
                reader = await stack.enter_async_context(LogReader(settings.log_part(log_name(origin)), settings))
                followers[origin] = Follower(reader, policy, origin, monotonic)
            by_partition[partition] = followers[origin]
        await asyncio.gather(*(follower.start() for follower in followers.values()))
        return cls(by_partition)

    def of(self, partition: int) -> Follower:
        """Return the log that holds a partition's decisions."""
        return self._by_partition[partition]

    def heads(self) -> dict[str, Checkpoint]:
        """Return the newest verified checkpoints by origin."""
        return {follower.origin: follower.head() for follower in self._followers}

    @property
    def pending(self) -> int:
        """Number of decisions that are emitted and in no log."""
        return sum(follower.coverage.pending for follower in self._followers)

    def age_s(self, now_s: float) -> float:
        """Return the age of the oldest decision that is in no log, 0 if there is none."""
        return max(follower.coverage.age_s(now_s) for follower in self._followers)

    def emitting(self) -> None:
        """Take note that decisions are on their way to the broker; they may be logged before its answer is here."""
        for follower in self._followers:
            follower.coverage.emitting()

    def emitted(self, leaves: Mapping[int, list[bytes]], now_s: float) -> None:
        """Remember all decisions, by partition, that were on their way and that the broker acknowledged."""
        for partition, added in leaves.items():
            self._by_partition[partition].coverage.emitted(added, now_s)
        for follower in self._followers:
            follower.coverage.settled()

    async def follow(self) -> list[float]:
        """Follow every log to its current head and return how long each newly covered decision took, in seconds.

        Raises:
            CoverageError: if a log contradicts itself or what was verified before.
            OSError: if one cannot be read; the others were followed all the same; try again.
        """
        ages: list[float] = []
        failed: list[BaseException] = []
        for outcome in await asyncio.gather(*(one.follow() for one in self._followers), return_exceptions=True):
            if isinstance(outcome, BaseException):
                failed.append(outcome)
            else:
                ages += outcome
        for error in sorted(failed, key=lambda error: isinstance(error, OSError)):  # what nobody can wait out comes first
            raise error
        return ages

    def exceeds(self, limit: Limit, now_s: float) -> str | None:
        """Return in words how the limit, which is one for all logs, is exceeded; None if it is not."""
        return limit.exceeded(self.pending, self.age_s(now_s))

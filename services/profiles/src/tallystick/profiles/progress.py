"""How far the sources are: the watermark, from event times alone, never from a clock.

Stream time is how far transactions have come. A partition that has been read to its end holds nothing back: what it will bring
is newer. Labels count as complete up to stream time less `label_lateness_s`, where their partition is at its end, else up to
its newest label less that; and no label counts earlier than `lead` after its verdict unless its transaction's own time is
still open. Transactions may come `transaction_lateness_s` late. So the watermark is

    min(stream time - transaction lateness + delay, labels complete + lead)

and in live operation lies `lead - label lateness` ahead of the newest transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tallystick.trust.profiles.subject import Rule


@dataclass(frozen=True, slots=True)
class Source:
    """Where a partition stands: its newest second (0: none yet), and whether it has been read to its end."""

    newest_s: int
    at_end: bool


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late records may come, in seconds of event time."""

    transaction_s: int
    label_s: int


def stream_time(transactions: Mapping[int, Source]) -> int:
    """Return up to which second transactions have come, by partition; 0 while nobody can say."""
    behind = [source.newest_s for source in transactions.values() if not source.at_end]
    return min(behind) if behind else max((source.newest_s for source in transactions.values()), default=0)


def watermark(stream_s: int, labels: Mapping[int, Source], rule: Rule, lateness: Lateness) -> int:
    """Return the event time up to which everything has come that ever counts; 0 while nobody can say.

    Args:
        stream_s: stream time.
        labels: the labels' partitions.
        rule: by what labels count.
        lateness: how late records may come.
    """
    if not stream_s:
        return 0
    complete_s = min((stream_s if source.at_end else min(stream_s, source.newest_s) for source in labels.values()), default=0)
    if not complete_s:
        return 0
    return max(0, min(stream_s - lateness.transaction_s + rule.delay_s, complete_s - lateness.label_s + rule.lead_s))

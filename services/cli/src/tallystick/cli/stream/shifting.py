"""Moving old event times to now, because Kafka deletes records whose time stamp is older than the topic's retention."""

from datetime import timedelta
from enum import Enum

WEEK_MS = 7 * 24 * 3600 * 1000


class Shift(Enum):
    """How event times are moved."""

    NONE = "no-shift"
    """Not at all."""
    TO_NOW = "to-now"
    """So that the last one is now. Hours and weekdays change, and with them features that depend on these."""
    WHOLE_WEEKS = "whole-weeks"
    """By whole weeks, so that the last one is within the last seven days and weekday and hour (UTC) stay."""


def shift_ms(shift: Shift, last_event_ms: int, now_ms: int) -> int:
    """Return what to add to every event time, in milliseconds; negative for a stream that ends in the future."""
    match shift:
        case Shift.NONE:
            return 0
        case Shift.TO_NOW:
            return now_ms - last_event_ms
        case Shift.WHOLE_WEEKS:
            return (now_ms - last_event_ms) // WEEK_MS * WEEK_MS


def moved(by_ms: int) -> str:
    """Say in words how far event times were moved, to the second."""
    if by_ms == 0:
        return "as in the file"
    way = "later" if by_ms > 0 else "earlier"
    seconds = round(abs(by_ms) / 1000)
    return f"moved {timedelta(seconds=seconds)} {way}" if seconds else f"moved less than a second {way}"

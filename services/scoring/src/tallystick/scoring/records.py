"""From a Kafka record to a valid transaction, or to the reason why it is not one.

Pure: a function of the record's bytes, its time stamp and the limits in force. What a transaction's own form must be is
`tallystick.trust.transactions`'s to say.
"""

from dataclasses import dataclass

from tallystick.contracts import ReasonCode
from tallystick.trust.transactions import Headers, Payment, RejectionError, check_fields, decode


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policy in force accepts: the largest value in bytes, the largest clock skew in milliseconds."""

    max_value_bytes: int
    event_time_tolerance_ms: int


def parse_transaction(headers: Headers, value: bytes | None, timestamp_ms: int, limits: Limits) -> Payment:
    """Return the record's transaction, every field checked but the ones that need the customer's history.

    Args:
        headers: the record's headers.
        value: the record's value.
        timestamp_ms: the record's Kafka time stamp.
        limits: what the policy in force accepts.

    Raises:
        RejectionError: saying what is wrong; nothing else, whatever the bytes.
    """
    if value is None:
        raise RejectionError(ReasonCode.REASON_CODE_VALUE_NULL)
    if len(value) > limits.max_value_bytes:
        raise RejectionError(ReasonCode.REASON_CODE_RECORD_TOO_LARGE)
    payment = check_fields(decode(headers, value))
    # Kafka says -1 of a record without a time stamp; a decision made before 1970 would be no sound one.
    if timestamp_ms < 0 or abs(payment.event_time_ms - timestamp_ms) > limits.event_time_tolerance_ms:
        raise RejectionError(ReasonCode.REASON_CODE_EVENT_TIME_SKEWED)
    return payment

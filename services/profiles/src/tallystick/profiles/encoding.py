"""A subject as a `Profile` record, and back."""

from array import array
from itertools import accumulate

from tallystick.contracts import FraudChange, KnownLabel, Profile
from tallystick.trust.profiles.subject import Change, Known, Subject


def encode(key: bytes, subject: Subject, valid_from_s: int) -> bytes:
    """Return the record's value."""
    seconds, counts = subject.seconds, subject.counts
    return Profile(
        id=key.decode(),
        valid_from_ms=valid_from_s * 1000,
        second_gaps=[after - before for before, after in zip([0, *seconds[:-1]], seconds, strict=True)] if seconds else [],
        counts=counts if counts and max(counts) > 1 else (),
        frauds=[FraudChange(second_s=change.second_s, from_s=change.from_s, sign=change.sign) for change in subject.changes],
        coarse_days=sorted(subject.coarse),
        version=subject.version,
        labels=[
            KnownLabel(
                id=identifier,
                second_s=known.second_s,
                labelled_at_ms=known.labelled_at_ms,
                fraud=known.fraud,
                from_s=known.from_s,
            )
            for identifier, known in subject.labels.items()
        ],
        recent_ids=subject.recent,
        recent_seconds=subject.recent.values(),
    ).SerializeToString()


def decode(value: bytes) -> Subject:
    """Return the subject of a record's value.

    Raises:
        DecodeError: if it is not a `Profile`.
        ValueError: if its columns do not fit together.
    """
    profile = Profile.FromString(value)
    subject = Subject()
    subject.seconds = array("I", accumulate(profile.second_gaps))
    subject.counts = array("I", profile.counts or [1] * len(profile.second_gaps))
    if len(subject.counts) != len(subject.seconds):
        raise ValueError("a profile has other counts than seconds")
    subject.changes = [Change(change.second_s, change.from_s, change.sign) for change in profile.frauds]
    subject.labels = {
        label.id: Known(label.second_s, label.labelled_at_ms, label.fraud, label.from_s) for label in profile.labels
    }
    subject.recent = dict(zip(profile.recent_ids, profile.recent_seconds, strict=True))
    subject.coarse = set(profile.coarse_days)
    subject.version = profile.version
    return subject

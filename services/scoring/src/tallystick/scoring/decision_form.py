"""Decisions' bytes, a batch at once: what all share is encoded once, by protobuf, and what varies is joined to it."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from tallystick.contracts import Commitment, Decision, Outcome, ReasonCode
from tallystick.scoring.activations import Active
from tallystick.scoring.model import Margins
from tallystick.scoring.outcomes import scores
from tallystick.scoring.sealing import GROUPS
from tallystick.scoring.wire import number_fields, varint
from tallystick.trust.commitments import DIGEST_SIZE

_SCORES = [f"\x50{varint(score)}".encode("latin-1") for score in range(1001)]


class Verdict(NamedTuple):
    """What is done with a transaction, and why: the most telling reason first; none for a plain approval."""

    outcome: int
    reasons: tuple[ReasonCode, ...]


class DecisionForm:
    """The form of one partition's decisions under one activation, of transactions that were not rejected."""

    def __init__(self, topic: str, partition: int, active: Active) -> None:
        self._head = Decision(source_topic=topic, source_partition=partition).SerializeToString()
        self._active = (
            Decision(
                model_digest=active.model_digest,
                policy_digest=active.policy_digest,
                feature_schema_digest=active.vectoriser.schema.digest,
                activation_index=active.index,
            ).SerializeToString()
            + b"\x7a\x20"  # the digest of the evidence comes next
        )
        self._verdicts: dict[Verdict, bytes] = {}

    def filled(
        self,
        offsets: Sequence[int],
        sequences: Sequence[int],
        chains: Sequence[bytes],
        times_ms: Sequence[int],
        verdicts: Sequence[Verdict],
        margins: Margins,
        evidence_digests: Sequence[bytes],
        commitments: Sequence[tuple[bytes, bytes, bytes, bytes]],
    ) -> list[bytes]:
        """Return serialised `Decision`s.

        Args:
            offsets: of the input records.
            sequences: the decisions' numbers.
            chains: the input chain after each.
            times_ms: the input records' Kafka time stamps, none negative.
            verdicts: outcomes and reasons.
            margins: raw margins, shape (rows,).
            evidence_digests: SHA-256 of the evidence records' values.
            commitments: digests, in the order of `GROUPS`.
        """
        bits = margins.astype("<f4", copy=False).tobytes()
        rows = zip(
            number_fields("\x18", offsets),
            number_fields("\x20", sequences),
            chains,
            number_fields("\x30", times_ms),
            verdicts,
            [bits[start : start + 4] for start in range(0, len(bits), 4)],
            scores(margins),
            evidence_digests,
            commitments,
            strict=True,
        )
        head, active, join = self._head, self._active, b"".join
        tag1, tag2, tag3, tag4 = _COMMITMENTS
        known = self._verdicts
        filled = []
        for offset, sequence, chain, time, verdict, margin, score, evidence, (one, two, three, four) in rows:
            said = known.get(verdict) or self._verdict(verdict)
            filled.append(join((
                head, offset, sequence, b"\x2a\x20", chain, time, said, b"\x4d", margin, _SCORES[score], active, evidence,
                tag1, one, tag2, two, tag3, three, tag4, four,
            )))  # fmt: skip
        return filled

    def _verdict(self, verdict: Verdict) -> bytes:
        said = Decision(outcome=cast("Outcome", verdict.outcome), reasons=verdict.reasons).SerializeToString()
        self._verdicts[verdict] = said
        return said


def _before_digest(commitment: Commitment) -> bytes:
    return Decision(commitments=[commitment]).SerializeToString()[:-DIGEST_SIZE]


_COMMITMENTS = [_before_digest(Commitment(group=group, digest=bytes(DIGEST_SIZE))) for group in GROUPS]

"""Decisions' bytes, a batch at once: what all share is encoded once, by protobuf, and what varies is joined to it."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from tallystick.contracts import Commitment, Decision
from tallystick.rules.outcomes import scores
from tallystick.scoring.activations import Active
from tallystick.scoring.columns import joined
from tallystick.scoring.model import Margins
from tallystick.scoring.sealing import GROUPS
from tallystick.scoring.wire import varint_fields
from tallystick.trust.commitments import DIGEST_SIZE
from tallystick.trust.rulings import Ruling

_SCORES = [Decision(score=score).SerializeToString() for score in range(1001)]


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
        self._rulings: dict[Ruling, tuple[bytes, bytes]] = {}

    def filled(
        self,
        offsets: Sequence[int],
        sequences: Sequence[int],
        chains: Sequence[bytes],
        times_ms: Sequence[int],
        rulings: Sequence[Ruling],
        margins: Margins,
        evidence_digests: Sequence[bytes],
        commitments: Sequence[Sequence[bytes]],
    ) -> list[bytes]:
        """Return serialised `Decision`s.

        Args:
            offsets: of the input records.
            sequences: the decisions' numbers.
            chains: the input chain after each.
            times_ms: the input records' Kafka time stamps, none negative.
            rulings: outcomes, reasons and what applied.
            margins: raw margins, shape (rows,).
            evidence_digests: SHA-256 of the evidence records' values.
            commitments: digests, a column for each of `GROUPS`.
        """
        bits = margins.astype("<f4", copy=False).tobytes()
        known = self._rulings
        said, applied = zip(*[known.get(ruling) or self._ruling(ruling) for ruling in rulings], strict=True)
        margin_bits = [bits[start : start + 4] for start in range(0, len(bits), 4)]
        offset_fields, sequence_fields, time_fields = (
            varint_fields(tag, np.array(numbers, np.uint64))
            for tag, numbers in ((0x18, offsets), (0x20, sequences), (0x30, times_ms))
        )
        columns = (
            *(self._head, offset_fields, sequence_fields, b"\x2a\x20", chains, time_fields, said, b"\x4d", margin_bits),
            *(map(_SCORES.__getitem__, scores(margins)), self._active, evidence_digests),
            *(*chain(*zip(_COMMITMENTS, commitments, strict=True)), applied),
        )
        return [*joined(len(offsets), *columns)]

    def _ruling(self, ruling: Ruling) -> tuple[bytes, bytes]:
        """Return a ruling's two places in a decision: the outcome with its reasons, and what applied."""
        said = Decision(outcome=ruling.outcome, reasons=ruling.reasons).SerializeToString()
        self._rulings[ruling] = both = said, Decision(applied=ruling.applied).SerializeToString()
        return both


def _before_digest(commitment: Commitment) -> bytes:
    return Decision(commitments=[commitment]).SerializeToString()[:-DIGEST_SIZE]


_COMMITMENTS = [_before_digest(Commitment(group=group, digest=bytes(DIGEST_SIZE))) for group in GROUPS]

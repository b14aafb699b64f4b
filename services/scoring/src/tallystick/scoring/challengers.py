"""Models in the shadow: asked beside the champion on the same batch, recorded in the evidence, deciding nothing.

A challenger sees the champion's matrix, so it must have been trained on the champion's feature schema; under another one it
is not asked. Whatever goes wrong with one, it is left out from then on, and the decisions are what they would have been
without it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tallystick.scoring.model import Model
from tallystick.scoring.vectors import Matrix
from tallystick.trust.governance import VerifiedActivation

MAX_CHALLENGERS = 8
"""The newest so many are loaded: each is a model in memory, and asking it takes time."""
FOREVER_MS = 2**63 - 1

Recorded = list[tuple[int, int]]
"""What the challengers in force made of one row: activation indexes and margin bits, by rising index."""


@dataclass(frozen=True, slots=True)
class Term:
    """A challenger's time: the Kafka time stamps `from_ms <= t < to_ms`."""

    activation: VerifiedActivation
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Challenger:
    """A challenger, loaded; `slot` and `index` are its activation's."""

    index: int
    slot: str
    from_ms: int
    to_ms: int
    model: Model
    schema_digest: bytes


@dataclass(slots=True)
class Challengers:
    """The challengers that there are, by rising index; `broken` says of those that failed why, by index."""

    known: Sequence[Challenger] = ()
    broken: dict[int, str] = field(default_factory=dict)

    def ask(self, schema_digest: bytes, matrix: Matrix, times_ms: Sequence[int]) -> list[Recorded] | None:
        """Return what was said of each row, None if nobody is asked.

        Args:
            schema_digest: the feature schema's that the matrix is of.
            matrix: the features, shape (rows, features).
            times_ms: the records' Kafka time stamps.
        """
        asked = [one for one in self.known if one.schema_digest == schema_digest and one.index not in self.broken]
        if not asked:
            return None
        times = np.array(times_ms, np.int64)
        recorded: list[Recorded] = [[] for _ in times_ms]
        for one in asked:
            rows = np.flatnonzero((times >= one.from_ms) & (times < one.to_ms))
            if len(rows):
                for row, bits in zip(rows.tolist(), self._bits(one, matrix[rows]), strict=False):
                    recorded[row].append((one.index, bits))
        return recorded

    def _bits(self, one: Challenger, matrix: Matrix) -> list[int]:
        try:
            margins = one.model.margins(matrix)
            if margins.shape != (len(matrix),) or not np.isfinite(margins).all():
                raise ValueError("a margin is not a finite number")
        except Exception as error:  # noqa: BLE001 - a broken challenger must not stop a decision, however it is broken
            self.broken[one.index] = str(error) or type(error).__name__
            return []
        bits: list[int] = margins.astype(np.float32, copy=False).view(np.uint32).tolist()
        return bits


def terms(activations: Iterable[VerifiedActivation]) -> list[Term]:
    """Return when each challenger is asked: until it ends, or the next of its slot begins; the newest `MAX_CHALLENGERS`."""
    found: list[Term] = []
    begins: dict[str, int] = {}
    for activation in sorted(activations, key=lambda one: one.index, reverse=True):
        ends = FOREVER_MS if activation.until_ms is None else activation.until_ms
        term = Term(activation, activation.effective_at_ms, min(ends, begins.get(activation.slot, FOREVER_MS)))
        begins[activation.slot] = min(term.from_ms, begins.get(activation.slot, FOREVER_MS))
        if term.from_ms < term.to_ms:
            found.append(term)
    return found[:MAX_CHALLENGERS][::-1]

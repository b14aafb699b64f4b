"""Decisions executed again: from what their evidence discloses and what they were made under to margins, outcomes and reasons.

Pure: evidence, models, lists and engines are parameters.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from tallystick.cli.replay.decided import Decisions
from tallystick.cli.replay.engines import Execute
from tallystick.cli.replay.opened import Opened, State, opens, proven_erased
from tallystick.cli.replay.shapes import Integers, shaped
from tallystick.cli.replay.trees import Floats
from tallystick.contracts import Explanation, FeatureVector, Outcome, Transaction, TransactionDetails
from tallystick.rules.columns import Batch
from tallystick.rules.evidence import transaction_of
from tallystick.rules.lists import MemberList
from tallystick.rules.outcomes import outcomes
from tallystick.rules.policies import Policy
from tallystick.trust.features import FeatureSchema
from tallystick.trust.governance import VerifiedActivation
from tallystick.trust.rulings import Ruling, reason_by_name, rule_on, without_mark
from tallystick.trust.transactions import Payment

MAX_TOLD = 100
_SAME_CHALLENGERS = frozenset({"challengers.*.activation_index"})
_SAME_VECTOR = frozenset({"feature_schema_digest", "profiles.*.stale"})


@dataclass(slots=True)
class Finding:
    """What came of it.

    Attributes:
        executed: decisions of which all is what the log holds.
        rejected: decisions that asked no model.
        erased: decisions whose evidence was erased, as the governance log says.
        missing: decisions whose evidence is not there.
        differing: decisions of which something is not what the log holds.
        challengers: margins of challengers that were computed again.
        told: of the first differing ones, what differs.
        absent: of the first missing ones, where they are.
    """

    executed: int = 0
    rejected: int = 0
    erased: int = 0
    missing: int = 0
    differing: int = 0
    challengers: int = 0
    told: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def differ(self, where: str, what: str) -> None:
        """Note a decision that differs."""
        self.differing += 1
        if len(self.told) < MAX_TOLD:
            self.told.append(f"{where}: {what}")


class Under:
    """What decisions under one activation are executed with.

    Args:
        activation: the activation.
        engines: what executes its model, by name.
        lists: its policy's, in order; None for one that cannot be asked.
    """

    def __init__(
        self, activation: VerifiedActivation, engines: Mapping[str, Execute], lists: Sequence[MemberList | None]
    ) -> None:
        self.schema = FeatureSchema.parse(activation.model.feature_schema)
        self.engines = engines
        self.policy = Policy(activation.policy, self.schema.names, lists)
        self.groups = self.policy.groups | {"features"}
        self._statement = activation.policy
        self._reasons = reason_by_name(activation.policy)
        self._unasked = frozenset(
            item.name for item, members in zip(activation.policy.lists, lists, strict=True) if members is None
        )
        self._remembered: dict[tuple[Outcome, tuple[str, ...]], Ruling] = {}

    @property
    def rules(self) -> bool:
        """Whether the policy has anything beside thresholds."""
        return bool(self._reasons)

    def rulings(self, decisions: Decisions, margins: Floats, matrix: Floats, opened: Opened) -> list[Ruling]:
        """Return what the policy makes of each; of lists that cannot be asked the decisions are believed."""
        batch = Batch(margins, matrix, self._transactions(opened, len(margins)), decisions.times_ms.tolist())
        believed = self._unasked.intersection(decisions.like.applied)
        found = self.policy.rule(batch)
        if not believed:
            return found
        return [
            self._ruling(by_margin, frozenset(ruling.applied) | believed)
            for ruling, by_margin in zip(found, outcomes(margins, self._statement), strict=True)
        ]

    def _ruling(self, by_margin: Outcome, applied: Collection[str]) -> Ruling:
        names = tuple(name for name in self._reasons if name in applied)
        if (by_margin, names) not in self._remembered:
            self._remembered[by_margin, names] = rule_on(by_margin, names, self._reasons)
        return self._remembered[by_margin, names]

    def _transactions(self, opened: Opened, rows: int) -> Sequence[Transaction | Payment]:
        """Return what was paid, as far as the policy asks; nobody looks at what it does not ask for."""
        if "identity" in self.policy.groups:
            return [
                transaction_of(dict(zip(opened.contents, each, strict=True)))
                for each in zip(*opened.contents.values(), strict=True)
            ]
        if "transaction" in self.policy.groups:  # which has every field but the two that name somebody
            return cast("list[Transaction]", [*map(TransactionDetails.FromString, opened.contents["transaction"])])
        return [Transaction()] * rows


def execute(
    batches: Sequence[Decisions],
    found: Sequence[Opened],
    under: Under,
    challengers: Mapping[int, Under],
    erased_keys: Collection[bytes],
    finding: Finding,
) -> None:
    """Execute scored decisions under one activation again, and note what came of each.

    Args:
        batches: the decisions.
        found: their evidence.
        under: what they are executed with.
        challengers: what each challenger's margins are computed with, by the index of its activation.
        erased_keys: ids of the keys that the governance log says were destroyed.
        finding: noted into.
    """
    ready = [_ready(batch, opened, under, erased_keys, finding) for batch, opened in zip(batches, found, strict=True)]
    matrices = [matrix for _, _, matrix in ready]
    matrix = np.concatenate(matrices) if matrices else np.zeros((0, len(under.schema.features)), np.float32)
    ends = np.cumsum([len(each) for each in matrices])[:-1]
    margins = {name: np.split(engine(matrix), ends) for name, engine in under.engines.items()} if len(matrix) else {}
    for place, (batch, opened, rows) in enumerate(ready):
        if len(rows):
            _compare(batch, opened, rows, {name: each[place] for name, each in margins.items()}, under, challengers, finding)


def _ready(
    batch: Decisions, opened: Opened, under: Under, erased_keys: Collection[bytes], finding: Finding
) -> tuple[Decisions, Opened, Floats]:
    """Return of some decisions those whose evidence is sound, with the rows that the model saw; note all the others."""
    kept = opened.states == State.OPENED
    for row in np.flatnonzero(~kept).tolist():
        _note_closed(batch, opened, row, erased_keys, finding)
    wrong: dict[int, str] = {}
    for group in opened.contents:
        for row in np.flatnonzero(
            kept & ~opens(batch.commitments[group], opened.salts[group], opened.contents[group])
        ).tolist():
            wrong.setdefault(row, f"the evidence's {group} is not what the decision commits to")
    matrix = np.zeros((len(batch), len(under.schema.features)), np.float32)
    kept[list(wrong)] = False
    rows = np.flatnonzero(kept)
    for row, reason in _vectors(batch, [opened.contents["features"][row] for row in rows.tolist()], rows, under, matrix):
        wrong[row] = reason
        kept[row] = False
    for row, reason in sorted(wrong.items()):
        finding.differ(batch.place(row), reason)
    if kept.all():
        return batch, opened, matrix
    chosen = np.flatnonzero(kept)
    left = Opened(
        opened.states[chosen],
        {group: [column[row] for row in chosen.tolist()] for group, column in opened.salts.items()},
        {group: [column[row] for row in chosen.tolist()] for group, column in opened.contents.items()},
    )
    return batch.taken(chosen), left, matrix[chosen]


def _note_closed(batch: Decisions, opened: Opened, row: int, erased_keys: Collection[bytes], finding: Finding) -> None:
    if opened.states[row] == State.ERASED:
        if proven_erased(batch.evidence_digests[row].tobytes(), opened.sealed.get(row, b""), erased_keys):
            finding.erased += 1
            return
        where = f"{batch.place(row)}: said to be erased, and no erasure in the governance log names its key"
    else:
        where = batch.place(row)
    finding.missing += 1
    if len(finding.absent) < MAX_TOLD:
        finding.absent.append(where)


def _vectors(
    batch: Decisions, contents: Sequence[bytes], rows: Integers, under: Under, matrix: Floats
) -> list[tuple[int, str]]:
    """Fill in what the model saw; return the rows whose features are none, and why."""
    width = 4 * len(under.schema.features)
    marked = len(without_mark(batch.like.reasons)) < len(batch.like.reasons)
    wrong: list[tuple[int, str]] = []
    for shape in shaped(FeatureVector, contents, {}, _SAME_VECTOR):
        here = rows[shape.rows]
        try:
            like = FeatureVector.FromString(shape.data[0].tobytes())
        except DecodeError:
            wrong += [(row, "its features are not a feature vector") for row in here.tolist()]
            continue
        if like.feature_schema_digest != under.schema.digest or len(like.values) != width:
            wrong += [(row, "its features are not of its feature schema") for row in here.tolist()]
        elif any(profile.stale for profile in like.profiles) != marked:
            wrong += [(row, "it is not marked as its profiles were") for row in here.tolist()]
        elif shape.fields is None:
            matrix[here] = np.frombuffer(like.values, "<f4")
        else:
            matrix[here] = np.ascontiguousarray(shape.content("values")).view("<f4")
    return wrong


def _compare(
    batch: Decisions,
    opened: Opened,
    matrix: Floats,
    margins: Mapping[str, Floats],
    under: Under,
    challengers: Mapping[int, Under],
    finding: Finding,
) -> None:
    wrong: dict[int, str] = {}
    for name, computed in margins.items():
        bits = computed.view(np.uint32)
        for row in np.flatnonzero(bits != batch.margin_bits).tolist():
            said = f"{name} computes a margin of bits {bits[row]:08x}, and the log holds {batch.margin_bits[row]:08x}"
            wrong.setdefault(row, said)
    if under.rules:
        like = batch.like
        logged = Ruling(like.outcome, without_mark(like.reasons), tuple(like.applied))
        logged_margins = batch.margin_bits.view(np.float32)
        for row, ruling in enumerate(under.rulings(batch, logged_margins, matrix, opened)):
            if ruling != logged:
                wrong.setdefault(row, f"its policy makes {_told(ruling)} of its evidence, and the log holds {_told(logged)}")
    if "explanation" in opened.contents and challengers:
        _compare_challengers(batch, opened.contents["explanation"], matrix, challengers, wrong, finding)
    for row, reason in sorted(wrong.items()):
        finding.differ(batch.place(row), reason)
    finding.executed += len(batch) - len(wrong)


def _told(ruling: Ruling) -> str:
    applied = f" ({', '.join(ruling.applied)} applied)" if ruling.applied else ""
    return f"{Outcome.Name(ruling.outcome).removeprefix('OUTCOME_')}{applied}"


def _compare_challengers(
    batch: Decisions,
    explanations: Sequence[bytes],
    matrix: Floats,
    challengers: Mapping[int, Under],
    wrong: dict[int, str],
    finding: Finding,
) -> None:
    for index, (rows, bits) in sorted(_challenged(explanations).items()):
        under = challengers.get(index)
        if under is None:
            for row in rows.tolist():
                wrong.setdefault(row, f"it records a challenger by an activation {index} that there is not")
            continue
        for name, engine in under.engines.items():
            computed = engine(matrix[rows]).view(np.uint32)
            finding.challengers += len(rows)
            for row in rows[computed != bits].tolist():
                wrong.setdefault(
                    row, f"{name} computes another margin for the challenger of activation {index} than is recorded"
                )


def _challenged(explanations: Sequence[bytes]) -> dict[int, tuple[Integers, NDArray[np.uint32]]]:
    """Return by challenger's activation the rows that record what it said, and its margins' bits."""
    said: dict[int, tuple[list[Integers], list[Integers]]] = {}
    for shape in shaped(Explanation, explanations, {}, _SAME_CHALLENGERS):
        like = Explanation.FromString(shape.data[0].tobytes())
        for place, one in enumerate(like.challengers):
            bits = np.array([one.margin_bits], np.int64)
            if shape.fields is not None:
                bits = shape.integers(f"challengers.{place}.margin_bits")
            rows_of, bits_of = said.setdefault(one.activation_index, ([], []))
            rows_of.append(shape.rows)
            bits_of.append(bits)
    return {
        index: (np.concatenate(rows_of), np.concatenate(bits_of).astype(np.uint32))
        for index, (rows_of, bits_of) in said.items()
    }

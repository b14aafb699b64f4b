"""From the raw transactions: features computed again (`history`) and compared, bit for bit, with what the model saw.

A decision is compared if everything in its windows is at hand: its partition's accepted transactions, of which the log says
which there were. One that is missing (its topic's retention is over, the file begins later) may have had any event time up
to its Kafka time stamp plus the policy's tolerance; decisions whose longest window reaches back to before that are warming
up. So are those of transactions that came more than seven days late, whose customers scoring may have forgotten. What comes
from profiles is not compared.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from tallystick.cli.replay.decided import Decisions
from tallystick.cli.replay.executing import MAX_TOLD
from tallystick.cli.replay.history import DAY_MS, LATE_MS, History, computed, days_of, vector
from tallystick.cli.replay.opened import Opened, State
from tallystick.cli.replay.places import Reason
from tallystick.cli.replay.profiled import History as ProfileHistory
from tallystick.cli.replay.profiled import ProfiledFinding, Question, compare, question
from tallystick.cli.replay.trees import Floats
from tallystick.contracts import FeatureVector, Identity
from tallystick.trust.features import FeatureSchema
from tallystick.trust.governance import VerifiedActivation
from tallystick.trust.transactions import Payment


class Accepted(NamedTuple):
    """A scored decision: where it is, and what can be known of its record.

    `seen` is the vector that the model saw, None if it is not to be compared; `name` the customer's and the transaction's
    id, None if unknown: ids are a customer's own.
    """

    sequence: int
    offset: int
    time_ms: int
    activation: int
    seen: bytes | None
    name: tuple[str, str] | None
    erased: bool


class Records(Protocol):
    """Where the transactions are."""

    async def of(self, topic: str, partition: int) -> "Finder":
        """Return what finds a partition's transactions."""


class Profiles(Protocol):
    """Where what profiles are made of is."""

    async def read(self, inputs: Collection[str]) -> ProfileHistory:
        """Return all of it, of these input topics."""


class Finder(Protocol):
    """Finds a decision's transaction."""

    def __call__(self, decision: Accepted) -> Payment | None:
        """Return it, None if it is not there."""


@dataclass(slots=True)
class Recomputed:
    """What came of it: decisions compared, warming up, without their transaction; differing ones, and what differs.

    `profiles` is what came of the features that come from profiles.
    """

    compared: int = 0
    warming_up: int = 0
    unrecorded: int = 0
    differing: int = 0
    told: list[str] = field(default_factory=list)
    profiles: ProfiledFinding = field(default_factory=ProfiledFinding)


class Recomputing:
    """Gathers decisions as their log is read, and compares when it has been.

    Args:
        activations: the governance log's, by index.
        period: which decisions are compared, by Kafka's time stamp; all before its end are gathered.
    """

    def __init__(self, activations: Mapping[int, VerifiedActivation], period: range) -> None:
        self._activations = activations
        self._period = period
        self._accepted: dict[tuple[str, int], list[Accepted]] = {}
        self._schemas: dict[int, FeatureSchema] = {}
        self._questions: list[Question] = []

    def gather(self, batch: Decisions, opened: Opened | None) -> None:
        """Take in scored decisions, with their `features` and `identity` as far as those are open."""
        names = None if opened is None else opened.contents.get("identity")
        vectors = None if opened is None else opened.contents.get("features")
        for row in range(len(batch)):
            is_open = opened is not None and opened.states[row] == State.OPENED
            wanted = is_open and int(batch.times_ms[row]) in self._period
            accepted = Accepted(
                int(batch.sequences[row]),
                int(batch.offsets[row]),
                int(batch.times_ms[row]),
                batch.like.activation_index,
                vectors[row] if wanted and vectors is not None else None,
                _name(names[row]) if is_open and names is not None else None,
                opened is not None and opened.states[row] == State.ERASED,
            )
            self._accepted.setdefault((batch.like.source_topic, int(batch.partitions[row])), []).append(accepted)

    async def compare(self, records: Records, profiles: Profiles | None = None) -> Recomputed:
        """Compare everything that was gathered; without `profiles` all but what comes from them."""
        found = Recomputed()
        for (topic, partition), accepted in sorted(self._accepted.items()):
            self._compare(partition, sorted(accepted), await records.of(topic, partition), found)
        if profiles is None:
            for one in self._questions:
                found.profiles.leave(one.where, Reason.NO_LABELS)
        elif self._questions:
            compare(self._questions, await profiles.read({topic for topic, _ in self._accepted}), found.profiles)
        return found

    def _compare(self, partition: int, accepted: Sequence[Accepted], find: Finder, found: Recomputed) -> None:
        history, missing_to_ms, newest_ms = History(), -(2**63), 0
        for one in accepted:
            schema, policy = self._schema(one.activation), self._activations[one.activation].policy
            where = f"partition {partition}, sequence {one.sequence:,}"
            asks_profiles = one.seen is not None and schema.delay_days is not None
            payment = find(one)
            if payment is None:
                if not one.erased:  # all of an erased customer's decisions are, and nobody else's windows hold them
                    found.unrecorded += one.seen is not None
                    missing_to_ms = max(missing_to_ms, one.time_ms + policy.event_time_tolerance_ms)
                if asks_profiles:
                    found.profiles.leave(where, Reason.NO_TRANSACTION)
                continue
            days, at = days_of(schema), payment.event_time_ms
            windows = history.take(payment, days)
            newest_ms = max(newest_ms, at)
            if one.seen is None:
                continue
            if asks_profiles:
                self._questions.append(question(where, schema, one.seen, payment))
            if at - max(days, default=0) * DAY_MS < missing_to_ms or at < newest_ms - LATE_MS:
                found.warming_up += 1
                continue
            found.compared += 1
            if said := _difference(schema, vector(schema, payment, windows), one.seen):
                found.differing += 1
                if len(found.told) < MAX_TOLD:
                    found.told.append(f"{where}: {said}")

    def _schema(self, index: int) -> FeatureSchema:
        if index not in self._schemas:
            self._schemas[index] = FeatureSchema.parse(self._activations[index].model.feature_schema)
        return self._schemas[index]


def _name(content: bytes) -> tuple[str, str]:
    identity = Identity.FromString(content)
    return identity.customer_id, identity.transaction_id


def _difference(schema: FeatureSchema, values: Floats, content: bytes) -> str | None:
    """Return what differs between a vector computed here and a disclosed `features` group."""
    seen = np.frombuffer(FeatureVector.FromString(content).values, "<f4")
    for place in computed(schema):
        if values[place : place + 1].tobytes() != seen[place : place + 1].tobytes():
            name = schema.names[place]
            return f"its {name} is {seen[place]:.9g} in the evidence, and {values[place]:.9g} by the transactions"
    return None

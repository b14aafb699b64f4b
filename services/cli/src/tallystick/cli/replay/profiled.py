"""Features that come from profiles: what decisions asked is answered from raw records (`places`), and compared bit for bit."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tallystick.cli.replay.executing import MAX_TOLD
from tallystick.cli.replay.places import Answer, Gathered, Look, Reason, answers
from tallystick.contracts import FeatureVector, ProfileUpdate, ProfileVersion
from tallystick.trust.features import PROFILED, Feature, FeatureSchema
from tallystick.trust.profiles.subject import DAY_S, Rule
from tallystick.trust.transactions import Payment

Updates = Sequence[tuple[int, ProfileUpdate]]


@dataclass(slots=True)
class ProfiledFinding:
    """What came of them.

    Attributes:
        compared: decisions whose features from profiles were computed again.
        differing: those of them of which one is another than the model saw.
        not_recomputed: decisions of which nothing is known, by reason.
        told: of the first differing ones, what differs.
        left: of the first not recomputed ones, where they are and why.
    """

    compared: int = 0
    differing: int = 0
    not_recomputed: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def leave(self, where: str, reason: Reason) -> None:
        """Note a decision that was not recomputed."""
        self.not_recomputed[reason] = self.not_recomputed.get(reason, 0) + 1
        if len(self.left) < MAX_TOLD:
            self.left.append(f"{where}: {reason}")

    def settle(self, where: str, difference: str | None) -> None:
        """Note a decision that was compared."""
        self.compared += 1
        self.differing += difference is not None
        if difference is not None and len(self.told) < MAX_TOLD:
            self.told.append(f"{where}: {difference}")


class Question(NamedTuple):
    """A decision's: by its schema, what it saw, and where its transaction was paid."""

    where: str
    schema: FeatureSchema
    seen: bytes
    second_s: int
    keys: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class History:
    """Everything that answers are made of.

    Attributes:
        gathered: the raw records.
        updates: by partition, as far as they are retained.
        rule: gives by what labels count, for a delay in days.
    """

    gathered: Gathered
    updates: Sequence[Updates]
    rule: Callable[[int], Rule]


def question(where: str, schema: FeatureSchema, seen: bytes, payment: Payment) -> Question:
    """Return what a decision under a schema that asks for profiles asked of them."""
    keys = {"terminal": f"terminal/{payment.terminal_id}".encode(), "merchant": f"merchant/{payment.merchant_id}".encode()}
    return Question(where, schema, seen, payment.event_time_ms // 1000, keys)


def compare(questions: Iterable[Question], history: History, finding: ProfiledFinding) -> None:
    """Answer every question, and note what came of each."""
    looks: dict[tuple[int, int], list[Look]] = defaultdict(list)  # by the updates' partition and the delay
    asked: list[tuple[Question, list[tuple[str, tuple[int, int], int]]]] = []
    for one in questions:
        if (wrong := _unlike(one)) is not None:
            finding.settle(one.where, wrong)
            continue
        placed = []
        for (name, days), seen in zip(_places(one.schema).items(), FeatureVector.FromString(one.seen).profiles, strict=True):
            if one.keys[name].endswith(b"/"):
                continue  # it was paid at none: nothing is known of it, for good
            where = history.gathered.partition_of(one.keys[name]), one.schema.delay_days or 0
            looks[where].append(Look(one.keys[name], one.second_s, tuple(day * DAY_S for day in days), seen))
            placed.append((name, where, len(looks[where]) - 1))
        asked.append((one, placed))
    found: dict[tuple[int, int], list[Answer]] = {}
    for where, some in looks.items():
        partition, delay_days = where
        entries = history.gathered.of(partition)
        rule = history.rule(delay_days)
        found[where] = answers(some, history.updates[partition], entries, rule, history.gathered.complete_from_s)
    for one, placed in asked:
        windows: dict[str, list[int]] = {}
        reason = None
        for name, where, place in placed:
            answer = found[where][place]
            if isinstance(answer, Reason):
                reason = reason or answer
            else:
                windows[name] = answer
        if reason is not None:
            finding.leave(one.where, reason)
        else:
            finding.settle(one.where, _difference(one, windows))


def _unlike(one: Question) -> str | None:
    """Return why what the evidence says of its profiles cannot be, None if it can."""
    vector, names = FeatureVector.FromString(one.seen), list(_places(one.schema))
    if len(vector.profiles) != len(names):
        return f"its evidence names {len(vector.profiles)} profiles, and its schema asks {len(names)}"
    for name, seen in zip(names, vector.profiles, strict=True):
        if not seen.stale and not one.keys[name].endswith(b"/") and one.second_s > seen.watermark_s:
            return f"its {name}'s profile is not marked stale, and was final only before its event time"
        if one.keys[name].endswith(b"/") and seen != ProfileVersion():
            return f"its evidence names a {name}'s profile, and it was paid at none"
    return None


def _difference(one: Question, answered: dict[str, list[int]]) -> str | None:
    seen = np.frombuffer(FeatureVector.FromString(one.seen).values, "<f4")
    places = _places(one.schema)
    for place, feature in enumerate(one.schema.features):
        if feature.kind not in PROFILED:
            continue
        name, what = _subject_of(feature), feature.kind.partition("_")[2]
        at = 2 * places[name].index(feature.days or 0)
        windows = answered.get(name) or [0] * (2 * len(places[name]))
        count, frauds = windows[at : at + 2]
        value = np.array(count if what == "count" else frauds / max(count, 1), np.float64).astype(np.float32)
        if value.tobytes() != seen[place].tobytes():
            return f"its {feature.name} is {seen[place]:.9g} in the evidence, and {value:.9g} by the transactions and labels"
    return None


def _subject_of(feature: Feature) -> str:
    return feature.kind.partition("_")[0]


def _places(schema: FeatureSchema) -> dict[str, list[int]]:
    """Return the windows in days that a schema asks of a terminal and a merchant, in the order of its features."""
    found: dict[str, set[int]] = {}
    for feature in schema.features:
        if feature.kind in PROFILED:
            found.setdefault(_subject_of(feature), set()).add(feature.days or 0)
    return {name: sorted(days) for name, days in found.items()}

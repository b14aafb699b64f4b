"""What scoring saw of profiles, made again from raw records: the same bits, or a reason why nothing is known of it."""

from collections.abc import Callable, Sequence
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.cli.replay.places import Gathered as Raw
from tallystick.cli.replay.places import Reason
from tallystick.cli.replay.profiled import History, ProfiledFinding, Question, compare, question
from tallystick.contracts import FeatureVector, ProfileUpdate
from tallystick.profiles.shard import Shard
from tallystick.profiles.updates import Gathered
from tallystick.scoring.profiles import ProfileTable
from tallystick.scoring.vectors import Vectoriser
from tallystick.trust.features import FeatureSchema
from tallystick.trust.profiles.entries import Entry
from tallystick.trust.profiles.subject import DAY_S, Rule
from tallystick.trust.transactions import Payment

RULE = Rule(delay_s=7 * DAY_S, lead_s=3600, late_s=60 * DAY_S)
START_S = 1_700_000_000
STEP_S = 40_000
CARD = FeatureSchema.parse((files("tallystick.contracts") / "features/card-2.json").read_bytes())
BOTH = FeatureSchema.parse(b"""{"name": "both", "version": 1, "features": [
    {"name": "merchants", "kind": "merchant_count", "days": 3, "delay_days": 7},
    {"name": "frauds", "kind": "terminal_fraud_share", "days": 30, "delay_days": 7},
    {"name": "amount", "kind": "amount"},
    {"name": "terminals", "kind": "terminal_count", "days": 1, "delay_days": 7},
    {"name": "more", "kind": "merchant_fraud_share", "days": 9, "delay_days": 7}
]}""")
LABELS, INPUT = ("labels", 0), ("transactions", 0)

paid = st.builds(
    lambda number, terminal, merchant, verdict: (number, terminal, merchant, verdict),
    st.integers(0, 40),
    st.sampled_from(["1", "2"]),
    st.sampled_from(["", "m"]),
    st.none() | st.tuples(st.integers(0, 20 * DAY_S), st.booleans()),
)
moments = st.lists(
    st.tuples(st.lists(paid, max_size=8), st.integers(0, 9 * DAY_S), st.booleans()),  # what came, the watermark, published?
    min_size=1,
    max_size=8,
)


Moment = tuple[list[tuple[int, str, str, tuple[int, bool] | None]], int, bool]


class World:
    """Records as they came, as the service divides and publishes them and scoring reads them."""

    def __init__(self, partitions: int = 2) -> None:
        self.raw = Raw(partitions, len)
        self.raw.partition_of = self._partition_of = lambda key: sum(key) % partitions
        self.raw.has(LABELS, 0)
        self.raw.has(INPUT, 0)
        self.updates: list[list[tuple[int, ProfileUpdate]]] = [[] for _ in range(partitions)]
        self.questions: list[Question] = []
        self.watermark_s = START_S
        self._gathered = Gathered(partitions, self._partition_of)
        self._shards = [Shard(RULE) for _ in range(partitions)]
        self._table = ProfileTable(partitions, self._partition_of)
        self._offsets = {LABELS: 0, INPUT: 0}
        self._written = 0

    def come(self, number: int, terminal: str, merchant: str, verdict: tuple[int, bool] | None) -> None:
        """Take a transaction, or a label with its verdict's distance from it."""
        keys = [f"terminal/{terminal}".encode()] + ([f"merchant/{merchant}".encode()] if merchant else [])
        entry = Entry(keys, number, START_S + number * STEP_S)
        source = INPUT
        if verdict is not None:
            source = LABELS
            entry = entry._replace(labelled_at_ms=(entry.second_s + verdict[0]) * 1000, fraud=verdict[1])
        self.raw.add(source, self._offsets[source], entry)
        self._gathered.add(*source, self._offsets[source], entry)
        self._offsets[source] += 1

    def update(self, ahead_s: int, *, publish: bool) -> None:
        """Hand on what came, and publish it or not."""
        self.watermark_s += ahead_s
        values = self._gathered.take(self.watermark_s, self._offsets)
        for number, (shard, value) in enumerate(zip(self._shards, values, strict=True)):
            offset = len(self.updates[number])
            self.updates[number].append((offset, ProfileUpdate.FromString(value)))
            shard.apply(self.updates[number][-1][1], offset)
            if publish:
                for key, record in shard.publish():
                    self._table.take(number, self._written, key, record)
                    self._written += 1

    def decide(self, schema: FeatureSchema, at_s: int, terminal: str, merchant: str) -> None:
        """Let scoring look up what a transaction asks, and keep what it saw."""
        vectoriser = Vectoriser(schema)
        payment = Payment("t", "c", 100, "EUR", at_s * 1000, terminal, merchant, "", 0, {})
        found = vectoriser.profiled(self._table, [payment])
        own = [[1, 100] * len(vectoriser.spans_ms)]
        matrix = vectoriser.matrix([at_s * 1000], [100], own, [[]], found.windows)
        seen = FeatureVector(values=matrix.astype("<f4").tobytes()).SerializeToString() + found.contents[0]
        self.questions.append(question(f"decision {len(self.questions)}", schema, seen, payment))

    def replayed(self, questions: Sequence[Question] | None = None, since: int = 0) -> ProfiledFinding:
        """Make it again, with the updates from an offset on."""
        finding = ProfiledFinding()
        updates = [some[since:] for some in self.updates]
        history = History(self.raw, updates, lambda days: Rule(days * DAY_S, RULE.lead_s, 0))
        compare(self.questions if questions is None else questions, history, finding)
        return finding


def drawn_world(drawn: list[Moment]) -> World:
    """Return a world in which decisions were made all along, about times that were final then and times that were not."""
    world = World()
    for some, ahead_s, publish in drawn:
        for one in some:
            world.come(*one)
        world.update(ahead_s, publish=publish)
        for days in (0, 9, 20, 50):
            for schema, terminal, merchant in ((CARD, "1", ""), (BOTH, "1", "m"), (BOTH, "2", ""), (BOTH, "", "")):
                world.decide(schema, START_S + days * DAY_S, terminal, merchant)
    return world


@settings(deadline=None, max_examples=60)
@given(moments)
def test_what_scoring_saw_is_made_again_or_nothing_is_said(
    drawn: list[Moment],
) -> None:
    """Whatever came late, whenever it was published: nothing differs, final or stale, and each decision is accounted for."""
    world = drawn_world(drawn)
    found = world.replayed()
    assert (found.differing, found.told) == (0, [])
    assert found.compared + sum(found.not_recomputed.values()) == len(world.questions)


@settings(deadline=None, max_examples=30)
@given(moments, st.integers(0, 7))
def test_of_updates_that_are_gone_nothing_is_made_up(drawn: list[Moment], since: int) -> None:
    """The topic's first updates were deleted: what they ordered is left out, and nothing differs falsely."""
    found = drawn_world(drawn).replayed(since=since)
    assert (found.differing, found.told) == (0, [])


def timely(days: int = 40) -> World:
    """Return a world in which everything comes in time: a payment and a fraud a day, known in two days."""
    world = World()
    for day in range(days):
        at = day * DAY_S // STEP_S
        world.come(at, "1", "m", None)
        world.come(1_000 + at, "2", "m", None)
        world.come(at, "1", "m", (2 * DAY_S, day % 3 == 0))
        world.update(DAY_S, publish=True)
    return world


def final_at(world: World, day: int) -> None:
    """Decide about a time that is final."""
    world.decide(BOTH, START_S + day * DAY_S, "1", "m")


def test_in_time_everything_is_compared() -> None:
    """Nothing is left out where nothing was late, and values that are not zero are among what is compared."""
    world = timely()
    for day in range(40):
        final_at(world, day)
    found = world.replayed()
    assert (found.compared, found.differing, found.not_recomputed) == (40, 0, {})
    values = [float(FeatureVector.FromString(one.seen).values[place]) for one in world.questions for place in range(0, 20, 4)]
    assert len(set(values)) > 3


def test_a_stale_decision_is_compared_as_of_its_profiles_version() -> None:
    """It saw what was published then, and less than what there is now: just that is made again."""
    world = timely(20)
    at_s = world.watermark_s + 20 * DAY_S
    world.decide(BOTH, at_s, "1", "m")
    for number in range(60, 70):
        world.come(number, "1", "m", None)
    world.update(DAY_S, publish=True)
    world.decide(BOTH, at_s, "1", "m")
    first, second = (FeatureVector.FromString(one.seen) for one in world.questions)
    assert first.values != second.values
    assert all(one.stale for one in (*first.profiles, *second.profiles))
    assert (world.replayed().compared, world.replayed().differing) == (2, 0)

    swapped = world.questions[0]._replace(seen=FeatureVector(values=first.values, profiles=second.profiles).SerializeToString())
    assert world.replayed([swapped]).differing == 1


@pytest.mark.parametrize("place", [0, 1, 3, 4])
def test_another_value_than_the_records_say_differs(place: int) -> None:
    """One bit of one feature, of any kind that comes from profiles: the decision is named, and the feature."""
    world = timely()
    final_at(world, 30)
    vector = FeatureVector.FromString(world.questions[0].seen)
    values = bytearray(vector.values)
    values[4 * place] ^= 1
    vector.values = bytes(values)
    found = world.replayed([world.questions[0]._replace(seen=vector.SerializeToString())])
    assert (found.compared, found.differing) == (1, 1)
    assert f"decision 0: its {BOTH.names[place]} is " in found.told[0]


def test_what_is_not_marked_stale_was_final() -> None:
    """A decision that says nothing of a watermark that it was ahead of differs, whatever its values."""
    world = timely()
    final_at(world, 30)
    vector = FeatureVector.FromString(world.questions[0].seen)
    vector.profiles[1].watermark_s = START_S + 29 * DAY_S
    found = world.replayed([world.questions[0]._replace(seen=vector.SerializeToString())])
    assert found.differing == 1
    assert "not marked stale" in found.told[0]


def late_label(world: World) -> None:
    """Bring a verdict ten days late, of a payment that windows of day 30 hold."""
    world.come(20 * DAY_S // STEP_S, "1", "m", (3 * DAY_S, True))


def late_transaction(world: World) -> None:
    """Bring a payment when its windows had passed."""
    world.come(20 * DAY_S // STEP_S + 1, "1", "m", None)


@pytest.mark.parametrize(
    ("late", "reason"), [(late_label, Reason.LATE_LABEL), (late_transaction, Reason.LATE_TRANSACTION)], ids=["label", "paid"]
)
def test_what_rests_on_when_something_came_is_left_out(late: Callable[[World], None], reason: Reason) -> None:
    """By the records alone it counts, and to scoring it was too late: neither equal nor differing, and only where it tells."""
    world = timely()
    late(world)
    world.update(0, publish=True)
    for day in (20, 30):
        final_at(world, day)
    found = world.replayed()
    assert (found.compared, found.differing, found.not_recomputed) == (1, 0, {reason: 1})
    assert found.left == [f"decision 1: {reason}"]


def test_what_came_from_no_topic_is_left_out() -> None:
    """A history that was filled in from a file: its places' windows are not known by the topics."""
    world = World()
    gathered = Gathered(2, world.raw.partition_of)
    gathered.add("history/ab", 0, 0, Entry([b"terminal/1"], 5, START_S))
    for number, value in enumerate(gathered.take(0, {})):
        world.updates[number].append((0, ProfileUpdate.FromString(value)))
        world._shards[number].apply(world.updates[number][0][1], 0)
    world.update(20 * DAY_S, publish=True)
    for terminal in ("1", "2"):
        world.decide(CARD, START_S + 9 * DAY_S, terminal, "")
    found = world.replayed()
    assert (found.compared, found.differing, found.not_recomputed) == (1, 0, {Reason.OTHER_SOURCE: 1})


def test_what_may_have_been_deleted_is_left_out() -> None:
    """An input that has lost its beginning: windows that reach back to it may lack something."""
    world = timely()
    world.raw.has(INPUT, START_S + 3 * DAY_S)
    for day in (15, 39):
        final_at(world, day)
    world.decide(CARD, START_S + 39 * DAY_S, "1", "")
    world.decide(FeatureSchema.parse(SHORT), START_S + 20 * DAY_S, "1", "")
    found = world.replayed()
    assert (found.compared, found.not_recomputed) == (1, {Reason.NOT_RETAINED: 3})


def test_updates_that_are_not_there_yet_are_missed() -> None:
    """A profile's version that no update at hand explains: nothing is known, and nothing is made up."""
    world = timely()
    final_at(world, 39)
    world.updates = [some[:20] for some in world.updates]
    assert world.replayed().not_recomputed == {Reason.UPDATES_MISSING: 1}


SHORT = b"""{"name": "short", "version": 1, "features": [
    {"name": "terminals", "kind": "terminal_count", "days": 1, "delay_days": 7}
]}"""

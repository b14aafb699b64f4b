"""A shard that is killed, restored and given updates again, against one that is left alone."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.contracts import ProfileUpdate
from tallystick.profiles.shard import Published, Shard, ShardError
from tallystick.profiles.updates import Gathered
from tallystick.scoring.profiles import ProfileTable
from tallystick.trust.profiles import subject
from tallystick.trust.profiles.entries import Entry
from tallystick.trust.profiles.subject import DAY_S, Rule

RULE = Rule(delay_s=7 * DAY_S, lead_s=3600, late_s=60 * DAY_S)
SPANS_S = (DAY_S, 30 * DAY_S)
START_S = 1_700_000_000
SUBJECTS = [b"terminal/1", b"terminal/2", b"merchant/1"]

entries = st.builds(
    lambda subjects, i, label: Entry(
        sorted(subjects),
        i,
        START_S + i * 40_000,
        *(() if label is None else ((START_S + i * 40_000 + label[0]) * 1000, label[1])),
    ),
    st.sets(st.sampled_from(SUBJECTS), min_size=1),
    st.integers(0, 30),
    st.none() | st.tuples(st.integers(0, 20 * DAY_S), st.booleans()),
)
batches = st.lists(st.tuples(st.lists(entries, max_size=8), st.integers(0, 9 * DAY_S)), min_size=1, max_size=8)


def updates_of(drawn: Sequence[tuple[list[Entry], int]]) -> list[ProfileUpdate]:
    """Return the updates of one partition; source offsets grow by one, the watermark by what was drawn."""
    gathered, offset, watermark_s, made = Gathered(1, lambda _: 0), 0, START_S, []
    for some, ahead_s in drawn:
        for entry in some:
            gathered.add("labels" if entry.labelled_at_ms else "transactions", 0, offset, entry)
            offset += 1
        watermark_s += ahead_s
        (value,) = gathered.take(watermark_s, {("transactions", 0): offset, ("labels", 0): offset})
        made.append(ProfileUpdate.FromString(value))
    return made


def answers(records: Sequence[Published]) -> list[object]:
    """Return what scoring sees of the records of `profiles`, at many event times that are final."""
    table = ProfileTable(1, lambda _: 0)
    for offset, (key, value) in enumerate(records):
        table.take(0, offset, key, value)
    times_s = range(START_S, table.watermark_s + 1, 3 * DAY_S)
    found = [table.look_up(key, second_s * 1000, 7, SPANS_S) for key in SUBJECTS for second_s in times_s]
    return [(lookup.windows, lookup.stale) for lookup in found]


def restored(records: Sequence[Published]) -> Shard:
    """Return a shard of these records."""
    shard = Shard(RULE)
    for key, value in records:
        shard.restore(key, value)
    return shard


def everything(shard: Shard) -> list[Published]:
    """Return all that a shard knows as records."""
    shard._dirty |= shard._subjects.keys()
    return shard.publish()


@pytest.fixture(autouse=True, scope="module")
def _no_memory_of_ids() -> Iterator[None]:
    """Forget at once which transactions came, as after two days: what comes again is known by its place alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "_SWEEP", 1)
        patch.setattr(subject, "REPEAT_S", -1)
        yield


@settings(deadline=None)
@given(batches, st.data())
def test_a_killed_shard_answers_as_one_left_alone(drawn: list[tuple[list[Entry], int]], data: st.DataObject) -> None:
    """Killed between or within publications, restored, and given again any number of updates: the same answers."""
    updates = updates_of(drawn)
    undisturbed = Shard(RULE)
    for offset, update in enumerate(updates):
        undisturbed.apply(update, offset)
    expected = answers(undisturbed.publish())

    topic: list[Published] = []
    committed, shard = 0, Shard(RULE)
    for _ in range(data.draw(st.integers(0, 4), "kills")):
        for offset in range(committed, data.draw(st.integers(committed, len(updates)), "until")):
            shard.apply(updates[offset], offset)
        published = shard.publish()
        written = data.draw(st.integers(0, len(published)), "written")
        topic += published[:written]
        if written == len(published):
            committed = data.draw(st.integers(committed, shard.version), "committed")
        shard = Shard(RULE)
        for key, value in topic:
            shard.restore(key, value)
    for offset in range(committed, len(updates)):
        shard.apply(updates[offset], offset)
    assert answers([*topic, *shard.publish()]) == expected


@settings(deadline=None)
@given(batches, st.integers(0, 50))
def test_records_that_two_gatherers_took_count_once(drawn: list[tuple[list[Entry], int]], back: int) -> None:
    """A gatherer that begins some records before the last one's end adds nothing, nor does it after a restoration."""
    updates = updates_of(drawn)
    once, twice = Shard(RULE), Shard(RULE)
    for offset, update in enumerate(updates):
        once.apply(update, offset)
        twice.apply(update, 2 * offset)
        twice = restored(everything(twice))
        twice.apply(updates[max(0, offset - back % (offset + 1))], 2 * offset + 1)
    assert answers([*once.publish()]) == answers(everything(twice))


def test_an_update_that_comes_again_takes_nothing_back() -> None:
    """The version only grows, whatever is given again."""
    updates = updates_of([([Entry([b"terminal/1"], number, START_S + number)], DAY_S) for number in range(3)])
    shard = Shard(RULE)
    for offset in (0, 1, 2, 0, 1):
        shard.apply(updates[offset], offset)
    assert shard.version == 3


def test_an_older_record_behind_a_newer_one_is_not_restored() -> None:
    """What a process wrote that woke after its partition had moved counts for nothing."""
    updates = updates_of([([Entry([b"terminal/1"], number, START_S + number)], 5 * DAY_S) for number in range(3)])
    paused, owner = Shard(RULE), Shard(RULE)
    paused.apply(updates[0], 0)
    for offset, update in enumerate(updates):
        owner.apply(update, offset)
    records = owner.publish()
    assert answers(everything(restored([*records, *paused.publish()]))) == answers(records)


def test_profiles_of_another_delay_are_refused() -> None:
    """Windows moved by another delay than before would change what was final."""
    records = Shard(RULE).publish()
    other = Shard(Rule(delay_s=8 * DAY_S, lead_s=3600, late_s=60 * DAY_S))
    with pytest.raises(ShardError, match="7 days, not 8"):
        other.restore(*records[-1])


def test_what_is_forgotten_leaves_no_trace() -> None:
    """A terminal of which nothing reaches into a window any more is removed from the topic, and counts nothing."""
    far = [([Entry([b"terminal/1"], 1, START_S)], DAY_S), ([Entry([b"terminal/2"], 2, START_S + 200 * DAY_S)], 200 * DAY_S)]
    shard = Shard(RULE)
    for offset, update in enumerate(updates_of(far)):
        shard.apply(update, offset)
        records = shard.publish()
    assert [(key, value is None) for key, value in records[:-1]] == [(b"terminal/1", True), (b"terminal/2", False)]
    assert len(shard) == 1

"""A terminal's windows against a list of everything that came, and the definition in words."""

from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.contracts import Profile
from tallystick.profiles.encoding import decode, encode
from tallystick.scoring.profiles import History
from tallystick.trust.profiles.subject import DAY_S, FINE_SECONDS, Rule, Subject

RULE = Rule(delay_s=7 * DAY_S, lead_s=3600, late_s=400 * DAY_S)
SPANS_S = (DAY_S, 7 * DAY_S, 30 * DAY_S)
START_S = 1_700_000_000


@dataclass
class Naive:
    """Keeps every transaction, and of each the whole story of its verdicts."""

    seconds: dict[int, int] = field(default_factory=dict)
    newest: dict[int, tuple[int, bool]] = field(default_factory=dict)
    stories: dict[int, tuple[int, list[tuple[int, bool]]]] = field(default_factory=dict)

    def add(self, identifier: int, second_s: int, watermark_s: int) -> None:
        """Count a transaction once, unless its time has passed."""
        if identifier not in self.seconds and second_s + RULE.delay_s > watermark_s:
            self.seconds[identifier] = second_s

    def label(self, identifier: int, second_s: int, labelled_s: int, fraud: bool, watermark_s: int) -> None:
        """Let the newest verdict count from the earliest time that is open; what has not counted yet never does."""
        if identifier in self.newest and labelled_s < self.newest[identifier][0]:
            return
        if self.newest.get(identifier) == (labelled_s, fraud):
            return
        self.newest[identifier] = labelled_s, fraud
        story = [turn for turn in self.stories.get(identifier, (0, []))[1] if turn[0] <= watermark_s or turn[1] == fraud]
        if (story[-1][1] if story else False) != fraud:
            due_s = second_s + RULE.delay_s
            open_s = max(due_s, labelled_s + RULE.lead_s, watermark_s + 1)
            story.append((due_s if labelled_s <= due_s and due_s > watermark_s else open_s, fraud))
        self.stories[identifier] = second_s, story

    def windows(self, at_s: int) -> list[int]:
        """Return count and frauds over each window at an event time."""
        flat = []
        for span_s in SPANS_S:
            inside = range(at_s - RULE.delay_s - span_s + 1, at_s - RULE.delay_s + 1)
            count = sum(second_s in inside for second_s in self.seconds.values())
            frauds = sum(
                [fraud for from_s, fraud in story if from_s <= at_s][-1:] == [True]
                for second_s, story in self.stories.values()
                if second_s in inside
            )
            flat += [count, min(frauds, count)]
        return flat


@dataclass(frozen=True)
class Came:
    """A transaction or a label, or the watermark's next place (in seconds from its last)."""

    identifier: int
    second_s: int
    labelled_s: int | None = None
    fraud: bool = False
    ahead_s: int | None = None


def came() -> st.SearchStrategy[Came]:
    """Draw what comes: few transactions with times that meet each other and windows' edges."""
    identifiers = st.integers(0, 5)
    later_s = st.sampled_from([0, 1, DAY_S, 7 * DAY_S - 1, 7 * DAY_S, 7 * DAY_S + 1, 20 * DAY_S]) | st.integers(0, 30 * DAY_S)
    ahead_s = st.sampled_from([1, 3600, DAY_S, 7 * DAY_S, 8 * DAY_S])
    return st.one_of(
        st.builds(lambda i: Came(i, second_of(i)), identifiers),
        st.builds(lambda i, s, f: Came(i, second_of(i), second_of(i) + s, f), identifiers, later_s, st.booleans()),
        st.builds(lambda ahead: Came(0, 0, ahead_s=ahead), ahead_s),
    )


def second_of(identifier: int) -> int:
    """Return the second of a transaction: ties, a second apart, exactly a window apart."""
    return START_S + (0, 0, 1, DAY_S, 7 * DAY_S, 30 * DAY_S)[identifier]


def read(subject: Subject) -> History:
    """Return what scoring sees of a subject."""
    return History(Profile.FromString(encode(b"terminal/t", subject, 0)))


EDGES_S = sorted(
    {START_S + day * DAY_S + 5000 for day in range(0, 80, 3)}
    | {
        second_of(identifier) + RULE.delay_s + span_s + off
        for identifier in range(6)
        for span_s in (0, 3600, *SPANS_S)
        for off in (-1, 0, 1)
    }
)


@settings(deadline=None)
@given(st.lists(came(), max_size=30))
def test_windows_are_what_their_definition_says(events: list[Came]) -> None:
    """Repeats, ties, late ones, verdicts that change: counts and frauds at every edge are exact, and none changes again."""
    subject, naive, watermark_s = Subject(), Naive(), START_S
    final: dict[int, list[int]] = {}
    for event in events:
        if event.ahead_s is not None:
            watermark_s += event.ahead_s
            history = read(subject)
            for at_s in EDGES_S:
                if at_s <= watermark_s:
                    final.setdefault(at_s, history.windows(at_s, RULE.delay_s, SPANS_S))
        elif event.labelled_s is None:
            subject.add(event.identifier, event.second_s, watermark_s, RULE)
            naive.add(event.identifier, event.second_s, watermark_s)
        else:
            subject.label(event.identifier, event.second_s, event.labelled_s * 1000, event.fraud, watermark_s, RULE)
            naive.label(event.identifier, event.second_s, event.labelled_s, event.fraud, watermark_s)
        subject = decode(encode(b"terminal/t", subject, 0))  # what is restored is what was published
    history = read(subject)
    for at_s in EDGES_S:
        found = history.windows(at_s, RULE.delay_s, SPANS_S)
        assert found == naive.windows(at_s)
        assert final.get(at_s, found) == found


def test_a_verdict_taken_back_before_it_counts_never_does() -> None:
    """Fraud after twenty days, genuine after thirty, both before the watermark came by: no event time sees a fraud."""
    subject = Subject()
    subject.add(0, START_S, 0, RULE)
    subject.label(0, START_S, (START_S + 20 * DAY_S) * 1000, fraud=True, watermark_s=0, rule=RULE)
    assert read(subject).windows(START_S + 25 * DAY_S, RULE.delay_s, SPANS_S)[4:] == [1, 1]
    subject.label(0, START_S, (START_S + 30 * DAY_S) * 1000, fraud=False, watermark_s=0, rule=RULE)
    assert read(subject).windows(START_S + 25 * DAY_S, RULE.delay_s, SPANS_S)[4:] == [1, 0]


@settings(deadline=None, max_examples=20)
@given(st.integers(FINE_SECONDS - 2, FINE_SECONDS + 2), st.integers(0, 2**32))
def test_a_busy_day_is_kept_by_the_minute(different: int, seed: int) -> None:
    """Beyond so many seconds a day, and only then, each transaction and fraud counts at its minute's last, in any order."""
    midnight_s, random = START_S // DAY_S * DAY_S, Random(seed)
    order = random.sample(range(DAY_S), different)
    subject = Subject()
    for number, second_s in enumerate(order):
        subject.add(number, midnight_s + second_s, 0, RULE)
        subject.label(number, midnight_s + second_s, midnight_s * 1000, number % 2 == 0, 0, RULE)
    unit_s = 60 if different > FINE_SECONDS else 1
    places = [second_s - second_s % unit_s + unit_s - 1 for second_s in order]
    assert [second_s - midnight_s for second_s in subject.seconds] == sorted(set(places))
    assert sum(subject.counts) == different
    inside = [number for number, place in enumerate(places) if place <= places[0]]
    found = read(subject).windows(midnight_s + places[0] + RULE.delay_s, RULE.delay_s, (30 * DAY_S,))
    assert found == [len(inside), sum(number % 2 == 0 for number in inside)]


def test_a_day_that_is_being_answered_stays_by_the_second() -> None:
    """A late transaction, the one too many of its day, moves none of that day that windows have reached."""
    midnight_s = START_S // DAY_S * DAY_S
    subject, watermark_s = Subject(), midnight_s + RULE.delay_s
    for number in range(FINE_SECONDS):
        subject.add(number, midnight_s + 2 * number, 0, RULE)
    before = read(subject).windows(watermark_s, RULE.delay_s, SPANS_S)
    assert subject.add(FINE_SECONDS, midnight_s + DAY_S - 1, watermark_s, RULE)
    assert read(subject).windows(watermark_s, RULE.delay_s, SPANS_S) == before


def test_a_repeat_is_known_in_a_backlog_too() -> None:
    """What comes from a partition that is weeks behind another, and comes twice, counts once."""
    subject, number = Subject(), 0
    for number in range(200):
        subject.add(number, START_S + 30 * DAY_S, 0, RULE)
    for identifier in range(number + 1, number + 200):
        assert subject.add(identifier, START_S + identifier, 0, RULE)
        assert not subject.add(identifier, START_S + identifier, 0, RULE)


def test_ids_are_not_kept_for_ever() -> None:
    """Two days of ids, and a few: a busy terminal's memory is bounded."""
    subject = Subject()
    for number in range(3_000):
        subject.add(number, START_S + number * 3600, 0, RULE)
    assert len(subject.recent) < 200

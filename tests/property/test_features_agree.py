"""Training and scoring compute features apart, by column and by row; a model is only right if both give the same bits."""

from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.contracts import ProfileUpdate
from tallystick.profiles.shard import Shard
from tallystick.profiles.updates import Gathered
from tallystick.scoring.profiles import ProfileTable
from tallystick.scoring.vectors import Vectoriser
from tallystick.scoring.windows import DAY_MS, Customer, digest_of
from tallystick.trainer.data import Transactions
from tallystick.trainer.features import feature_matrix
from tallystick.trust.features import FeatureSchema
from tallystick.trust.profiles.entries import Entry
from tallystick.trust.profiles.subject import DAY_S, Rule
from tallystick.trust.transactions import Payment

_SCHEMA = FeatureSchema.parse((files("tallystick.contracts") / "features/card-1.json").read_bytes())
_OTHER_WINDOWS = FeatureSchema.parse(b"""{"name": "other-windows", "version": 3, "features": [
    {"name": "mean_amount_14d", "kind": "mean_amount", "days": 14},
    {"name": "count_2d", "kind": "count", "days": 2},
    {"name": "amount", "kind": "amount"},
    {"name": "count_14d", "kind": "count", "days": 14},
    {"name": "mean_amount_29d", "kind": "mean_amount", "days": 29},
    {"name": "count_29d_again", "kind": "count", "days": 29}
]}""")
_ROWS = st.lists(
    st.tuples(
        st.one_of(st.just(0), st.integers(0, 40 * DAY_MS), st.sampled_from([DAY_MS, 7 * DAY_MS, 30 * DAY_MS])),
        st.sampled_from([("ann", "EUR"), ("ann", "USD"), ("bob", "EUR")]),
        st.integers(0, 10**12),
    ),
    min_size=1,
    max_size=120,
)


_PLACES = FeatureSchema.parse((files("tallystick.contracts") / "features/card-2.json").read_bytes())
_DELAY_S = 7 * DAY_S
_AT_PLACES = st.lists(
    st.tuples(
        st.one_of(
            st.just(0), st.integers(0, 5000), st.integers(0, 9 * DAY_MS), st.sampled_from([DAY_MS, 7 * DAY_MS, 8 * DAY_MS])
        ),
        st.integers(-1, 2),
        st.booleans(),
    ),
    min_size=1,
    max_size=80,
)


@given(_AT_PLACES, st.booleans())
@settings(max_examples=100, deadline=None)
def test_training_and_scoring_see_the_same_profiles(rows: list[tuple[int, int, bool]], busy: bool) -> None:
    """The trainer's terminal features equal those that scoring finds in the topic `profiles`, bit for bit, busy days too."""
    times = np.cumsum([gap for gap, _, _ in rows]) + 1_600_000_000_000
    crowd = (times[0] // DAY_MS * DAY_MS + 7_000 * np.arange(1_500)) if busy else np.zeros(0, np.int64)
    all_times = np.concatenate([crowd, times])
    order = np.argsort(all_times, kind="stable")
    terminals = np.concatenate([np.zeros(len(crowd), np.int64), [terminal for _, terminal, _ in rows]])[order]
    frauds = np.concatenate([np.arange(len(crowd)) % 3 == 0, [fraud for _, _, fraud in rows]])[order]
    all_times = all_times[order]
    zeros = np.zeros(len(all_times), np.int64)
    transactions = Transactions(all_times, zeros, zeros + 100, {}, frauds, {"terminal": terminals})

    gathered, rule = Gathered(1, lambda _: 0), Rule(_DELAY_S, 3600, 366 * DAY_S)
    for place, (time_ms, terminal, fraud) in enumerate(
        zip(all_times.tolist(), terminals.tolist(), frauds.tolist(), strict=True)
    ):
        entry = Entry([f"terminal/{terminal}".encode()] if terminal >= 0 else [], place, time_ms // 1000)
        gathered.add("transactions", 0, place, entry)
        if fraud:
            gathered.add("labels", 0, place, entry._replace(labelled_at_ms=time_ms + 6 * DAY_MS, fraud=True))
    shard, table = Shard(rule), ProfileTable(1, lambda _: 0)
    shard.apply(ProfileUpdate.FromString(gathered.take(int(all_times[-1]) // 1000 + 1, {})[0]), 0)
    for offset, (key, value) in enumerate(shard.publish()):
        table.take(0, offset, key, value)

    vectoriser = Vectoriser(_PLACES)
    payments = [
        Payment("t", "c", 100, "EUR", time_ms, str(terminal) if terminal >= 0 else "", "", "", 0, {})
        for time_ms, terminal in zip(all_times.tolist(), terminals.tolist(), strict=True)
    ]
    found = vectoriser.profiled(table, payments)
    nothing = [[1, 1] * len(vectoriser.spans_ms)] * len(payments)
    scored = vectoriser.matrix(all_times.tolist(), [100] * len(payments), nothing, [[]] * len(payments), found.windows)
    assert not any(found.stale)
    assert scored[:, 9:].tobytes() == feature_matrix(transactions, _PLACES)[:, 9:].tobytes()


@pytest.mark.parametrize("schema", [_SCHEMA, _OTHER_WINDOWS], ids=["card-1", "other windows"])
@given(rows=_ROWS)
@settings(max_examples=100, deadline=None)
def test_training_and_scoring_see_the_same_vectors(schema: FeatureSchema, rows: list[tuple[int, tuple[str, str], int]]) -> None:
    """The trainer's columns equal scoring's rows, bit for bit, for any stream in order of time: ties, gaps, windows' edges."""
    times = np.cumsum([gap for gap, _, _ in rows]) + 1_600_000_000_000
    accounts = sorted({account for _, account, _ in rows})
    transactions = Transactions(
        event_time_ms=times,
        account=np.array([accounts.index(account) for _, account, _ in rows]),
        amount_minor=np.array([amount for _, _, amount in rows]),
        attributes={},
        fraud=np.zeros(len(rows), np.bool_),
    )
    vectoriser = Vectoriser(schema)
    customers = {name: Customer(name) for name in ("ann", "bob")}
    windows = [
        customers[name].observe(digest_of(str(place)), currency, int(time_ms), amount, vectoriser.spans_ms)
        for place, (time_ms, (_, (name, currency), amount)) in enumerate(zip(times, rows, strict=True))
    ]
    scored = vectoriser.matrix(times.tolist(), [amount for _, _, amount in rows], windows, [[] for _ in rows])
    assert scored.tobytes() == feature_matrix(transactions, schema).tobytes()

"""Training and scoring compute features apart, by column and by row; a model is only right if both give the same bits."""

from importlib.resources import files

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.scoring.vectors import Vectoriser
from tallystick.scoring.windows import DAY_MS, Customer, digest_of
from tallystick.trainer.data import Transactions
from tallystick.trainer.features import feature_matrix
from tallystick.trust.features import FeatureSchema

_SCHEMA = FeatureSchema.parse((files("tallystick.contracts") / "features/card-1.json").read_bytes())
_ROWS = st.lists(
    st.tuples(
        st.one_of(st.just(0), st.integers(0, 40 * DAY_MS), st.sampled_from([DAY_MS, 7 * DAY_MS, 30 * DAY_MS])),
        st.sampled_from([("ann", "EUR"), ("ann", "USD"), ("bob", "EUR")]),
        st.integers(0, 10**12),
    ),
    min_size=1,
    max_size=120,
)


@given(_ROWS)
@settings(max_examples=150)
def test_training_and_scoring_see_the_same_vectors(rows: list[tuple[int, tuple[str, str], int]]) -> None:
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
    vectoriser = Vectoriser(_SCHEMA)
    customers = {name: Customer(name) for name in ("ann", "bob")}
    windows = [
        customers[name].observe(digest_of(str(place)), currency, int(time_ms), amount, vectoriser.spans_ms)
        for place, (time_ms, (_, (name, currency), amount)) in enumerate(zip(times, rows, strict=True))
    ]
    scored = vectoriser.matrix(times.tolist(), [amount for _, _, amount in rows], windows, [[] for _ in rows])
    assert scored.tobytes() == feature_matrix(transactions, _SCHEMA).tobytes()

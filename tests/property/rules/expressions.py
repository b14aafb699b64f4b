"""Random conditions of the rules' language, and rows to evaluate them on."""

from hypothesis import strategies as st

from tallystick.contracts import Transaction

FEATURES = ("amount", "card present")
NUMBER_COLUMNS = (
    "margin",
    "feature.amount",
    'feature."card present"',
    "attribute.a",
    'attribute."b c"',
    "transaction.amount_minor",
    "transaction.hour",
    "transaction.weekday",
)
TEXT_COLUMNS = ("transaction.currency", "transaction.terminal_id", "transaction.merchant_id", "transaction.source")

_numbers = st.one_of(st.integers(0, 30).map(str), st.floats(0, 99, width=16).map(lambda value: f"{value:.4f}"))
_texts = st.sampled_from(["''", "'EUR'", "'t-1'", "'it''s'", "'T-1'"])


def _number(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda value: f"ABS({value})"),
        inner.map(lambda value: f"(- {value})"),
        st.tuples(inner, inner).map(lambda pair: f"COALESCE({pair[0]}, {pair[1]})"),
    )


numbers = st.recursive(st.one_of(st.sampled_from(NUMBER_COLUMNS), _numbers), _number, max_leaves=4)
texts = st.one_of(st.sampled_from(TEXT_COLUMNS), _texts)
_negation = st.sampled_from(["", "NOT "])
_atoms = st.one_of(
    st.tuples(numbers, st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="]), numbers).map(" ".join),
    st.tuples(texts, st.sampled_from(["=", "<>"]), texts).map(" ".join),
    st.tuples(numbers, _negation, numbers, numbers).map(lambda parts: "{} {}BETWEEN {} AND {}".format(*parts)),
    st.tuples(numbers, _negation, st.lists(_numbers, min_size=1, max_size=3).map(", ".join)).map(
        lambda parts: "{} {}IN ({})".format(*parts)
    ),
    st.tuples(texts, _negation, st.lists(_texts, min_size=1, max_size=3).map(", ".join)).map(
        lambda parts: "{} {}IN ({})".format(*parts)
    ),
    st.tuples(st.one_of(numbers, texts), _negation).map(lambda parts: "{} IS {}NULL".format(*parts)),
)


def _condition(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map("".join),
        inner.map(lambda condition: f"NOT ({condition})"),
        inner.map(lambda condition: f"({condition})"),
        st.tuples(inner, st.sampled_from([" = TRUE", " <> FALSE"])).map(lambda parts: f"({parts[0]}){parts[1]}"),
    )


conditions = st.recursive(_atoms, _condition, max_leaves=5)
"""Well-formed conditions; a few name no column."""

transactions = st.builds(
    Transaction,
    amount_minor=st.integers(0, 10**12),
    currency=st.sampled_from(["EUR", "CHF"]),
    event_time_ms=st.integers(1, 2 * 10**12),
    terminal_id=st.sampled_from(["", "t-1", "T-1"]),
    merchant_id=st.sampled_from(["", "it's"]),
    source=st.sampled_from(["", "EUR"]),
    attributes=st.dictionaries(st.sampled_from(["a", "b c"]), st.floats(allow_nan=False, allow_infinity=False)),
)
features = st.lists(
    st.one_of(st.floats(0, 30, width=32), st.just(float("nan")), st.integers(0, 30).map(float)),
    min_size=len(FEATURES),
    max_size=len(FEATURES),
)
rows = st.lists(st.tuples(st.floats(-10, 10, width=32), features, transactions), min_size=1, max_size=6)

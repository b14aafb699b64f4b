"""Files of transactions: which are understood, and what is said of the others."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import json_format

from tallystick.cli.stream import TransactionFileError, encode_transactions, read_transactions
from tallystick.cli.stream.reading import ULB_COMPONENTS, ULB_EPOCH_MS, TransactionFile
from tallystick.contracts import Transaction

GOOD: dict[str, Any] = {
    "transactionId": "t1",
    "customerId": "c1",
    "amountMinor": "1250",
    "currency": "EUR",
    "eventTimeMs": "1522540800000",
}


def read_lines(tmp_path: Path, *lines: str | bytes) -> TransactionFile:
    """Read lines through a file."""
    path = tmp_path / "transactions.jsonl"
    path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    return read_transactions(path)


def messages(contents: TransactionFile) -> list[Transaction]:
    """Return the file's transactions as scoring would parse them."""
    return [Transaction.FromString(value) for value in encode_transactions(contents.table)]


def write_parquet(tmp_path: Path, columns: dict[str, Any]) -> Path:
    """Write columns as Parquet."""
    path = tmp_path / "transactions.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def columns(**changes: Any) -> dict[str, Any]:
    """Two transactions as columns, with changes; None drops a column."""
    table = {
        "transaction_id": ["a", "b"],
        "customer_id": [7, 8],
        "amount_minor": [100, 0],
        "currency": ["EUR", "USD"],
        "event_time_ms": [1_000, 2_000],
    } | changes
    return {name: values for name, values in table.items() if values is not None}


def test_json_lines_are_read_as_proto3_json(tmp_path: Path) -> None:
    """Both spellings of names, numbers or strings for integers, attributes and null are read as protobuf's own parser does."""
    lines = [
        json.dumps(GOOD),
        json.dumps({"transaction_id": "t2", "customer_id": "c2", "amount_minor": 0, "event_time_ms": 5, "currency": "SEK"}),
        json.dumps(GOOD | {"terminalId": "x", "sourceSequence": str(2**64 - 1), "source": "pos", "merchantId": None}),
        json.dumps(GOOD | {"amountMinor": -(2**63), "attributes": {"V1": 1.5, "é": "NaN", "z": "-Infinity", "n": 2}}),
        json.dumps(GOOD | {"amountMinor": 1e3}),
    ]
    contents = read_lines(tmp_path, *lines)
    assert contents.bad_lines == ()
    expected = [json_format.Parse(line, Transaction()) for line in lines]
    assert [str(message) for message in messages(contents)] == [str(message) for message in expected]


def test_an_absent_amount_stays_absent_and_zero_stays_zero(tmp_path: Path) -> None:
    """An amount has presence: leaving it out and setting it to 0 are two things on the wire."""
    absent, zero = messages(
        read_lines(tmp_path, json.dumps(GOOD | {"amountMinor": None}), json.dumps(GOOD | {"amountMinor": 0}))
    )
    assert (absent.HasField("amount_minor"), zero.HasField("amount_minor"), zero.amount_minor) == (False, True, 0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"amountMinor": NaN}', "NaN is not JSON"),
        ('{"currency": "EUR", "currency": "USD"}', "a name appears twice"),
        ('{"customerId": "a", "customer_id": "a"}', "customer_id twice"),
        ('{"attributes": {"a": 1, "a": 2}}', "a name appears twice"),
        ('{"amount": 5}', "unknown field 'amount'"),
        ('{"currency": 5}', "currency is not a string"),
        ('{"currency": "\\ud800"}', "not UTF-8"),
        ('{"amountMinor": 1.5}', "amount_minor is not a int64"),
        ('{"amountMinor": true}', "amount_minor is not a int64"),
        ('{"amountMinor": "9223372036854775808"}', "amount_minor is not a int64"),
        ('{"amountMinor": "12x"}', "amount_minor is not a int64"),
        ('{"sourceSequence": -1}', "source_sequence is not a uint64"),
        ('{"attributes": []}', "attributes is not an object"),
        ('{"attributes": {"a": "1e5"}}', "attribute 'a' is not a number"),
        ('{"attributes": {"a": true}}', "attribute 'a' is not a number"),
        ('{"attributes": {"a": 1' + "0" * 400 + "}}", "too large"),
        (b'{"currency": "\xff"}', "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ('{"amountMinor": ' + "1" * 5_000 + "}", "not"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str | bytes, reason: str) -> None:
    """A line that is no transaction is reported with its number and reason, and the good ones around it are kept."""
    contents = read_lines(tmp_path, json.dumps(GOOD), line, json.dumps(GOOD))
    assert [bad.number for bad in contents.bad_lines] == [2]
    assert reason in contents.bad_lines[0].reason
    assert contents.table.num_rows == 2


def test_parquet_is_read_by_field_name(tmp_path: Path) -> None:
    """Proto and JSON names, integer ids and columns that are no field: the fields are read and the others named."""
    path = write_parquet(tmp_path, columns(terminalId=["x", None], fraud=[0, 1]))
    contents = read_transactions(path)
    assert contents.ignored == ("fraud",)
    first, second = messages(contents)
    assert (first.customer_id, first.terminal_id, first.amount_minor, first.event_time_ms) == ("7", "x", 100, 1_000)
    assert (second.terminal_id, second.currency, second.HasField("amount_minor")) == ("", "USD", True)


def test_parquet_attributes_come_as_struct_or_map(tmp_path: Path) -> None:
    """Attributes with the same names in every row, and attributes that differ from row to row, both arrive."""
    struct = pa.array([{"V1": 1.5, "V2": -0.0}, {"V1": 3.0, "V2": 4.25}])
    by_row = pa.array([[("a", 1.0)], []], pa.map_(pa.string(), pa.float64()))
    first, second = messages(read_transactions(write_parquet(tmp_path, columns(attributes=struct))))
    assert (dict(first.attributes), dict(second.attributes)) == ({"V1": 1.5, "V2": -0.0}, {"V1": 3.0, "V2": 4.25})
    first, second = messages(read_transactions(write_parquet(tmp_path, columns(attributes=by_row))))
    assert (dict(first.attributes), dict(second.attributes)) == ({"a": 1.0}, {})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"currency": None}, "no column currency"),
        ({"amount_minor": [1.0, 2.0]}, "column amount_minor is double"),
        ({"amount_cents": [1, 2]}, "two columns for amount_minor"),
        ({"customer_id": [1.5, 2.5]}, "column customer_id is double"),
        ({"attributes": [1, 2]}, "column attributes is int64"),
        ({"attributes": [{"a": 1.0}, {"a": None}]}, "attribute a has rows without a value"),
        ({"source_sequence": [-1, 2]}, "transactions.parquet"),
    ],
)
def test_parquet_that_is_no_table_of_transactions_is_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    """The complaint names the file and the column."""
    with pytest.raises(TransactionFileError, match=complaint) as raised:
        read_transactions(write_parquet(tmp_path, columns(**changes)))
    assert "transactions.parquet" in str(raised.value)


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    """A file that only begins like Parquet is refused by name."""
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    with pytest.raises(TransactionFileError, match=r"broken\.parquet"):
        read_transactions(tmp_path / "broken.parquet")


def ulb_columns(amounts: list[float]) -> dict[str, Any]:
    """Return rows in the ULB data's form."""
    rows = len(amounts)
    components = {
        name: pa.array([number + row / 8 for row in range(rows)], pa.float32()) for number, name in enumerate(ULB_COMPONENTS)
    }
    times = pa.array(range(rows), pa.int32())
    return {"Time": times, **components, "Amount": amounts, "Class": pa.array([0] * rows, pa.int8())}


def test_ulb_rows_become_transactions(tmp_path: Path) -> None:
    """Amounts are exact cents, the components attributes, and each row has a pseudonym of its own."""
    contents = read_transactions(write_parquet(tmp_path, ulb_columns([149.62, 0.0, 2.69, 25_691.16])))
    assert contents.ignored == ("Class",)
    transactions = messages(contents)
    assert [transaction.amount_minor for transaction in transactions] == [14_962, 0, 269, 2_569_116]
    assert len({transaction.customer_id for transaction in transactions}) == 4
    assert transactions[3].event_time_ms == ULB_EPOCH_MS + 3_000
    assert transactions[3].attributes["V28"] == 27.375
    assert len(transactions[3].attributes) == 28


@pytest.mark.parametrize("amount", [1.005, float("nan"), float("inf")])
def test_ulb_amounts_that_are_no_cents_are_refused(tmp_path: Path, amount: float) -> None:
    """An amount that is not a whole number of cents is not rounded but refused, with its row."""
    with pytest.raises(TransactionFileError, match="row 1"):
        read_transactions(write_parquet(tmp_path, ulb_columns([1.0, amount])))


@pytest.mark.parametrize(
    "contents",
    [gzip.compress(b"{}\n", mtime=0), bytes(range(256)) * 300, "{}\n".encode("utf-16"), b"caf\xe9;1\n" * 30, b"a\0b"],
)
def test_a_file_of_another_kind_is_refused_as_a_whole(tmp_path: Path, contents: bytes) -> None:
    """What is neither Parquet nor text in UTF-8 is one error, not one a line."""
    path = tmp_path / "transactions"
    path.write_bytes(contents)
    with pytest.raises(TransactionFileError, match="transactions: neither Parquet nor text in UTF-8"):
        read_transactions(path)


def test_a_long_line_of_text_is_text(tmp_path: Path) -> None:
    """A character that the look at the file's beginning cuts in two does not make the file binary."""
    assert [line.number for line in read_lines(tmp_path, "é" * 40_000, json.dumps(GOOD)).bad_lines] == [1]
    assert [line.number for line in read_lines(tmp_path, "x" + "é" * 40_000, json.dumps(GOOD)).bad_lines] == [1]

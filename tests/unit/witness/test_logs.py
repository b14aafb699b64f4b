"""The file of logs: which keys sign for which origin, and every bad line by its number."""

import pytest

from tallystick.witness.logs import LogsError, parse_logs

from .logs import Log, witness_key

WITNESS = witness_key().verifier
BANK, OTHER = Log(), Log("other.example/log")
NEW_KEY = Log(seed="new key")
SUMDB = Log("go.sum database tree", key_name="sum.example")


def test_a_log_may_have_several_keys() -> None:
    """Lines of one name are keys of one log; addresses, comments, tabs and empty lines are nothing to us."""
    text = f"# ours\nlog {BANK.key} https://bank.example/log\n\n\t log\t{NEW_KEY.key}  \nlog {OTHER.key}\n"
    assert parse_logs(text.encode(), WITNESS) == {BANK.origin: (BANK.key, NEW_KEY.key), OTHER.origin: (OTHER.key,)}


def test_an_origin_may_differ_from_the_keys_name() -> None:
    """`origin` holds up to the end of its line, for the log line before it alone."""
    text = f"log {SUMDB.key}\norigin go.sum database tree\nlog {BANK.key}"
    assert parse_logs(text.encode(), WITNESS) == {"go.sum database tree": (SUMDB.key,), BANK.origin: (BANK.key,)}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("witness w1 x", "a line begins with log, origin or #"),
        ("quorum none", "a line begins with log, origin or #"),
        ("log", r"write: log <vkey> \[<url>\]"),
        (f"log {OTHER.key} https://x y", r"write: log <vkey> \[<url>\]"),
        ("log nonsense", "a verifier key is written name"),
        (f"log {OTHER.key}x", "not (canonical )?base64|Ed25519"),
        (f"log {WITNESS}", "must be of kind 1"),
        (f"log {BANK.key}", "another line has it"),
        ("log RENAMED", "another line has it"),
        ("log OWN", "this witness's own key"),
        ("origin a\norigin b", "follows its log line"),
        ("origin", "not an origin: a checkpoint has no empty lines"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_every_bad_line_is_named(line: str, problem: str) -> None:
    """A line that is not understood is no line to pass over."""
    renamed = Log("renamed.example/log", seed=BANK.origin)
    own = type(WITNESS).make("log.example", 1, WITNESS.public_key)
    line = line.replace("RENAMED", str(renamed.key)).replace("OWN", str(own))
    with pytest.raises(LogsError, match=problem) as refused:
        parse_logs(f"log {BANK.key}\n{line}\n".encode("utf-8", "surrogateescape"), WITNESS)
    assert all(said.startswith(("line 2: ", "line 3: ")) for said in refused.value.problems)


def test_all_bad_lines_are_named_at_once() -> None:
    """Not only the first."""
    with pytest.raises(LogsError) as refused:
        parse_logs(f"log x\nlog {BANK.key}\nlogs y\n".encode(), WITNESS)
    assert [said.partition(":")[0] for said in refused.value.problems] == ["line 1", "line 3"]


@pytest.mark.parametrize("data", [b"", b"# none\n", b"\n" * 5_000_000])
def test_a_file_without_logs_is_refused(data: bytes) -> None:
    """A witness that knows no log is a mistake, as is a file without end."""
    with pytest.raises(LogsError):
        parse_logs(data, WITNESS)

"""A scoring policy as people write it."""

from collections.abc import Callable

import pytest

from tallystick.cli.policy.file import Draft, PolicyFileError, read_policy_file
from tallystick.contracts import Outcome, Transaction
from tallystick.rules.lists import MemberList, list_key
from tallystick.trust.policy_statements import check_policy

FILE = """name = "card"
version = "2026-11"
decline_margin = 2.5
review_margin = 1
event_time_tolerance_ms = 300000
max_value_bytes = 61440
[[rules]]
name = "dear"
outcome = "DECLINE"
when = "feature.amount > 5000"
about = "the limit of the contract"
[[lists]]
name = "mules"
kind = "watch"
subject = "customer"
file = "mules.csv"
"""
MULES = "# known mules\ncleo\n\ndan, 2026-01-01T00:00:00+01:00\n"
LOOKUP_KEY = b"lookup key of thirty-two bytes.."


def read(text: str, mules: str = MULES) -> Draft:
    """Read a policy whose list is `mules`."""
    return read_policy_file(text.encode(), {"mules.csv": mules.encode()}.__getitem__, lambda: LOOKUP_KEY, bytes, 7)


def test_a_file_becomes_a_statement_and_lists() -> None:
    """What is written is what is signed; the same file makes the same bytes."""
    draft = read(FILE)
    check_policy(draft.statement)
    said = draft.statement
    assert (said.name, said.version, said.decline_margin, said.review_margin) == ("card", "2026-11", 2.5, 1)
    assert (said.created_at_ms, said.rules[0].outcome, said.lists[0].entries) == (7, Outcome.OUTCOME_DECLINE, 2)
    assert draft.data == read(FILE).data
    (stated,), (file,), (key,) = said.lists, draft.files.values(), draft.keys.values()
    assert key == list_key(LOOKUP_KEY, bytes(16))
    members = MemberList(stated, file, key)
    some = [Transaction(customer_id="cleo"), Transaction(customer_id="dan"), Transaction(customer_id="dan")]
    ends_ms = 1_767_222_000_000  # 2025-12-31T23:00:00Z
    assert members.on_it(some, [ends_ms, ends_ms - 1, ends_ms]) == [0, 1]


def test_without_lists_nobody_is_asked_for_a_key() -> None:
    """Publishing thresholds and rules needs no Vault."""

    def refuse() -> bytes:
        raise AssertionError("asked for a key")

    assert not read_policy_file(FILE.partition("[[lists]]")[0].encode(), dict[str, bytes]().__getitem__, refuse, bytes, 0).files


WRONG: dict[str, tuple[Callable[[str], str], str]] = {
    "not TOML": (lambda text: text + "[", "."),
    "an unknown name": (lambda text: "decline = 3\n" + text, "has 'decline', which is not known"),
    "a name missing": (lambda text: text.replace("version", "verzion"), "not known"),
    "a word for a number": (lambda text: text.replace("2.5", '"high"'), "'decline_margin' must be an integer or a number"),
    "no number": (lambda text: text.replace("2.5", "inf"), "not finite"),
    "margins crossed": (lambda text: text.replace("2.5", "0.5"), "review margin is over its decline margin"),
    "another outcome": (lambda text: text.replace("DECLINE", "REJECTED"), "must be one of APPROVE, REVIEW, DECLINE"),
    "another kind": (lambda text: text.replace('"watch"', '"grey"'), "must be one of allow, block, watch"),
    "another subject": (lambda text: text.replace('"customer"', '"country"'), "must be one of customer, terminal, merchant"),
    "a rule that is none": (lambda text: text.replace("> 5000", "> SUM(1)"), "the rule 'dear': 'SUM' is no column"),
    "one name for both": (lambda text: text.replace('"mules"', '"dear"'), "two rules or lists are named 'dear'"),
    "a number too large": (lambda text: text.replace("61440", str(2**40)), "61440|range"),
}


@pytest.mark.parametrize(("change", "reason"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(change: Callable[[str], str], reason: str) -> None:
    """In words that name the place."""
    with pytest.raises(PolicyFileError, match=reason):
        read(change(FILE))


@pytest.mark.parametrize(
    ("mules", "reason"),
    [
        ("", "has 0 entries"),
        ("cleo\ncleo", "'cleo' is on the list twice"),
        ("cleo, tomorrow", "line 1: 'tomorrow' is not ISO 8601"),
        ("cleo, 2026-01-01", "is not ISO 8601 with an offset"),
        ("cleo\ntwo words", "line 2: an id is 1 to 64 visible ASCII"),
        ("x" * 65, "line 1: an id"),
    ],
)
def test_a_list_that_is_wrong_is_said(mules: str, reason: str) -> None:
    """By its file and line."""
    with pytest.raises(PolicyFileError, match=reason):
        read(FILE, mules)

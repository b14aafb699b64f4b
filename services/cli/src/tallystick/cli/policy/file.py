"""A policy as people write it: TOML, with its lists in files of their own. Pure: bytes in, a statement and files out.

name = "card"
version = "2026-11"
decline_margin = 2.5             # a margin at or over this is declined
review_margin = 1.0
event_time_tolerance_ms = 300000
max_value_bytes = 61440

[[rules]]
name = "large-at-night"          # stands in every decision that it applies to
outcome = "REVIEW"               # or DECLINE; APPROVE sets the margin aside
when = "feature.night = 1 AND transaction.amount_minor > 100000"
about = "why there is such a rule"

[[lists]]
name = "known-mules"
kind = "block"                   # or watch, or allow
subject = "customer"             # or terminal, or merchant
file = "mules.csv"               # one id a line, and behind a comma when it leaves the list (ISO 8601, or nothing: never)
about = "why there is such a list"
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from tallystick.contracts import ListKind, ListSubject, Outcome, PolicyList, PolicyRule, PolicyStatement
from tallystick.rules.language import RuleError, parse_rules
from tallystick.rules.lists import NEVER_MS, ListError, encode_list, list_key
from tallystick.trust.commitments import SALT_SIZE
from tallystick.trust.errors import TrustError
from tallystick.trust.policy_statements import check_policy
from tallystick.trust.strict_json import JsonError, Types, fields

MAX_FILE_BYTES = 1_000_000
_OUTCOMES = {"APPROVE": Outcome.OUTCOME_APPROVE, "REVIEW": Outcome.OUTCOME_REVIEW, "DECLINE": Outcome.OUTCOME_DECLINE}
_KINDS = {"allow": ListKind.LIST_KIND_ALLOW, "block": ListKind.LIST_KIND_BLOCK, "watch": ListKind.LIST_KIND_WATCH}
_SUBJECTS = {
    "customer": ListSubject.LIST_SUBJECT_CUSTOMER,
    "terminal": ListSubject.LIST_SUBJECT_TERMINAL,
    "merchant": ListSubject.LIST_SUBJECT_MERCHANT,
}


class PolicyFileError(ValueError):
    """A policy's file, or one of its lists, cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy's statement with its lists: each file by its SHA-256, and its key by the same."""

    statement: PolicyStatement
    files: Mapping[bytes, bytes]
    keys: Mapping[bytes, bytes]

    @property
    def data(self) -> bytes:
        """The bytes to sign, whose SHA-256 is the policy's digest."""
        return self.statement.SerializeToString(deterministic=True)


def read_policy_file(
    data: bytes,
    read_list: Callable[[str], bytes],
    lookup_key: Callable[[], bytes],
    randomness: Callable[[int], bytes],
    created_at_ms: int,
) -> Draft:
    """Read a policy's file.

    Args:
        data: the file.
        read_list: returns a list's file by the name that the policy gives it.
        lookup_key: returns the key from which those of lists are made; asked only if there are any.
        randomness: returns so many random bytes.
        created_at_ms: what the statement says of its time.

    Raises:
        PolicyFileError: It is not understood, or states what no policy may.
    """
    try:
        top: dict[str, Types] = {"name": str, "version": str, "decline_margin": (int, float), "review_margin": (int, float)}
        top |= {"event_time_tolerance_ms": int, "max_value_bytes": int}
        document = fields(_toml(data), "the file", top, {"rules": list, "lists": list})
        rules = [_rule(item, f"rule {place}") for place, item in enumerate(document.pop("rules", []), start=1)]
        stated = [_list(item, f"list {place}") for place, item in enumerate(document.pop("lists", []), start=1)]
        lists, files, keys = list[PolicyList](), dict[bytes, bytes](), dict[bytes, bytes]()
        for one, name in stated:
            one.salt = randomness(SALT_SIZE)
            key = list_key(lookup_key(), one.salt)
            entries = _entries(read_list(name), name)
            file = encode_list(entries, key)
            one.digest, one.entries = sha256(file).digest(), len(entries)
            lists.append(one)
            files[one.digest], keys[one.digest] = file, key
        statement = PolicyStatement(**document, created_at_ms=created_at_ms, rules=rules, lists=lists)
        check_policy(statement)
        parse_rules(statement, None)
    except (JsonError, TrustError, RuleError, ListError, ValueError) as error:
        raise PolicyFileError(str(error)) from error
    return Draft(statement, files, keys)


def _toml(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_FILE_BYTES:
        raise PolicyFileError(f"the file has {len(data)} bytes, more than {MAX_FILE_BYTES}")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except RecursionError:
        raise PolicyFileError("the file's nesting is too deep") from None


def _rule(value: Any, where: str) -> PolicyRule:
    rule = fields(value, where, {"name": str, "outcome": str, "when": str}, {"about": str})
    return PolicyRule(
        name=rule["name"],
        outcome=_one_of(_OUTCOMES, rule["outcome"], f"{where}: outcome"),
        when=rule["when"],
        about=rule.get("about", ""),
    )


def _list(value: Any, where: str) -> tuple[PolicyList, str]:
    item = fields(value, where, {"name": str, "kind": str, "subject": str, "file": str}, {"about": str})
    stated = PolicyList(
        name=item["name"],
        kind=_one_of(_KINDS, item["kind"], f"{where}: kind"),
        subject=_one_of(_SUBJECTS, item["subject"], f"{where}: subject"),
        about=item.get("about", ""),
    )
    return stated, item["file"]


def _one_of(known: Mapping[str, Any], value: str, where: str) -> Any:
    if value not in known:
        raise PolicyFileError(f"{where} is {value!r}; it must be one of {', '.join(known)}")
    return known[value]


def _entries(data: bytes, name: str) -> list[tuple[str, int]]:
    entries = []
    for number, line in enumerate(data.decode("utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        subject, _, expires = (part.strip() for part in line.partition(","))
        if not 1 <= len(subject) <= 64 or not all("!" <= character <= "~" for character in subject):
            raise PolicyFileError(f"{name}, line {number}: an id is 1 to 64 visible ASCII characters")
        entries.append((subject, _time_ms(expires, f"{name}, line {number}")))
    return entries


def _time_ms(text: str, where: str) -> int:
    if not text:
        return NEVER_MS
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise PolicyFileError(f"{where}: {text!r} is not ISO 8601 with an offset from UTC (…Z)")
    return round(moment.timestamp() * 1000)

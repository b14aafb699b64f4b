"""Both verifiers refuse the same trust policies: a sound one that has every table, and what one change makes of each."""

import base64
import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy

from ...unit.trust.helpers import DECISIONS, GOVERNANCE, encoded_public, log_policy

Tables = list[tuple[str, dict[str, str]]]
"""The tables of a trust.toml in order: each one's header, and its values by name, as they are written."""

FALLBACKS, SEALS = "tallystick.example/test/fallbacks", "tallystick.example/test/seals"
LOG_POLICY = log_policy(logs=(DECISIONS, GOVERNANCE, FALLBACKS, SEALS))
_TIMESTAMPS = Path(__file__).parents[2] / "vectors" / "timestamps" / "cases.json"
ROOT: str = json.loads(_TIMESTAMPS.read_bytes())[0]["roots"][0]


def _written(table: dict[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in table.items()}


def _signer(name: str) -> tuple[str, dict[str, str]]:
    return "[[signers]]", _written({"name": name, "public_key": encoded_public(name), "roles": ["approver"]})


SOUND: Tables = [
    ("", _written({"version": 1})),
    ("[logs]", _written({"decisions": DECISIONS, "governance": GOVERNANCE, "fallbacks": FALLBACKS, "seals": SEALS})),
    ("[freshness]", _written({"max_age_s": 60, "witness": "notary-clock"})),
    ("[topics.transactions]", _written({"partitions": 1, "partitioner": "murmur2", "logs": [0]})),
    _signer("ada"),
    _signer("bob"),
    ("[[receipt_keys]]", _written({"origin": DECISIONS, "public_key": encoded_public("receipts")})),
    ("[[sealers]]", _written({"name": "s1", "public_key": encoded_public("s1")})),
    ("[[timestamp_authorities]]", _written({"name": "tsa1", "roots": [ROOT]})),
    ("[[contracts]]", _written({"name": "chain1", "chain_id": 1, "address": "0x" + "Ab" * 20})),
    ("[[retired_keys]]", _written({"origin": FALLBACKS, "public_key": encoded_public(FALLBACKS), "last_size": 7})),
]
VALUES = (
    *("0", "1", "-1", "1.5", "100001", str(2**63), "true", '""', '"x"', '"a b"', '"\\u0007"', '"0x12"', '"A"', f'"{"x" * 65}"'),
    *("[]", "[0]", "[1]", "[-1]", "[true]", '[""]', '["x"]', "[[]]", "[0, 0]", '["approver", "approver"]', '["publisher"]'),
    *("null", "{}", "[null]", "1979-05-27", f'"{encoded_public(GOVERNANCE)}"', f'"{"A" * 43}="', '["a\\/b"]'),
    *(json.dumps([text]) for text in (ROOT + ROOT, ROOT.replace("CERT", "SERT"), ROOT[:99], ROOT[:90] + ROOT[154:])),
)
"""What every value is replaced by, in turn."""
STRICTER = {("max_age_s", str(2**63))}
"""What the console's verifier alone refuses, on purpose: no number here is beyond 63 bits."""


def _text(tables: Tables) -> str:
    return "".join(
        f"{header}\n{''.join(f'{name} = {value}{chr(10)}' for name, value in table.items())}" for header, table in tables
    )


def _header_changes(place: int) -> Iterator[tuple[str, str]]:
    header, table = SOUND[place]
    rest = SOUND[:place], SOUND[place + 1 :]
    yield "missing", _text([*rest[0], *rest[1]])
    yield "doubled", _text([*SOUND, (header, table)])
    other = f"[{header}]" if not header.startswith("[[") else header[1:-1]
    for name, changed in {
        "of another kind": other,
        "misspelt": header.replace("]", "x]", 1),
        "within": f"[logs.{place}]",
    }.items():
        yield name, _text([*rest[0], (changed, table), *rest[1]])
    yield "with an unknown key", _text([*rest[0], (header, table | {"foo": "1"}), *rest[1]])
    yield "with an unknown table", _text([*rest[0], (header, table), ("[foo]", {}), *rest[1]])


def _changes() -> dict[str, str]:
    """Return every changed trust.toml by what was changed in it."""
    out: dict[str, str] = {}
    for place, (header, table) in enumerate(SOUND):
        where = f"{header or 'the top'} (table {place})"
        out |= {f"{where} {what}": text for what, text in _header_changes(place)}
        for name in table:
            others = {other[name] for _, other in SOUND if name in other}
            tables = deepcopy(SOUND)
            del tables[place][1][name]
            out[f"{where} without {name}"] = _text(tables)
            tables = deepcopy(SOUND)
            tables[place][1][name] += f"\n{name} = {table[name]}"
            out[f"{where} with {name} twice"] = _text(tables)
            for value in sorted({*VALUES, *others} - {new for of, new in STRICTER if of == name}):
                tables = deepcopy(SOUND)
                tables[place][1][name] = value
                out[f"{where} with {name} = {value}"] = _text(tables)
    return out


def _is_sound(text: str) -> bool:
    try:
        TrustPolicy.parse(LOG_POLICY, text.encode())
    except TrustError:
        return False
    return True


_REFUSALS = """async ([policy, texts]) => {
  const log = Uint8Array.from(atob(policy), (letter) => letter.charCodeAt(0)), out = [];
  for (const text of texts) {
    const files = {"log.policy": log, "trust.toml": records.encode(text)};
    out.push((await attempt(async () => { await verifier.parseTrust(files); })).refused ?? null);
  }
  return out;
}"""


def _refusals(page: Page, texts: list[str]) -> list[str | None]:
    """Return what the console's verifier says against each trust.toml; None if it takes it."""
    said: list[str | None] = page.evaluate(_REFUSALS, [base64.b64encode(LOG_POLICY).decode(), texts])
    return said


@pytest.mark.browser
def test_one_change_one_verdict(page: Page) -> None:
    """Every table misspelt, doubled or left out, every name as well, every value replaced: refused by both, or by neither."""
    changes = _changes()
    said = dict(zip(changes, _refusals(page, list(changes.values())), strict=True))
    assert [what for what, text in changes.items() if (said[what] is None) != _is_sound(text)] == []
    refused = [words for words in said.values() if words is not None]
    assert len(refused) > 700
    assert len(said) - len(refused) > 20
    odd = ("undefined", "not a function", "Cannot ", "null (", "Invalid array")
    assert [words for words in refused if any(word in words for word in odd)] == []


@pytest.mark.browser
def test_what_is_changed_is_sound(page: Page) -> None:
    """Both take the trust policy that the changes begin from."""
    assert _is_sound(_text(SOUND))
    assert _refusals(page, [_text(SOUND)]) == [None]

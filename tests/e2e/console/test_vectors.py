"""The console's verifier passes the vectors that the Python one passes."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

VECTORS = Path(__file__).parents[2] / "vectors"
SUITES = (
    "signed-note",
    "verifier-key",
    "checkpoint",
    "cosignature",
    "inclusion",
    "policy",
    "policy-verdict",
    "ed25519-key",
    "ed25519-signature",
)
"""The files about what a bundle's proof is made of; the others are about tiles, receipts and witnesses' dialogues."""


def _disagreements(page: Page, name: str, cases: list[dict[str, Any]]) -> list[str]:
    found: list[str] = page.evaluate(
        "([name, cases]) => trials.disagreements(name, JSON.parse(cases))", [name, json.dumps(cases)]
    )
    return found


@pytest.mark.browser
@pytest.mark.parametrize("name", SUITES)
def test_our_suite(page: Page, name: str) -> None:
    """What is sound is accepted and read as stated, what is broken is refused."""
    cases = json.loads((VECTORS / "tlog" / f"{name}.json").read_bytes())["cases"]
    assert len(cases) > 30
    assert _disagreements(page, name, cases) == []


@pytest.mark.browser
def test_transparency_dev(page: Page) -> None:
    """The 98 public inclusion proofs, sound and broken."""
    files = sorted((VECTORS / "merkle" / "inclusion").rglob("*.json"))
    cases = [{"id": str(path.relative_to(VECTORS)), "why": "", **json.loads(path.read_bytes())} for path in files]
    assert len(cases) == 98
    marked = [case | {"verdict": "reject" if case["wantErr"] else "accept"} for case in cases]
    assert _disagreements(page, "merkle/inclusion", marked) == []


@pytest.mark.browser
def test_a_wrong_verdict_is_noticed(page: Page) -> None:
    """The comparison itself can fail: turned around, every case that is not open disagrees."""
    cases = json.loads((VECTORS / "tlog" / "ed25519-key.json").read_bytes())["cases"]
    turned = {"accept": "reject", "reject": "accept"}
    certain = [case | {"verdict": turned[case["verdict"]]} for case in cases if case["verdict"] in turned]
    assert len(_disagreements(page, "ed25519-key", certain)) == len(certain) > 10

"""The verifier as one file, and what it is made of."""

import hashlib
import re
from pathlib import Path

from tallystick.audit.console.standalone import MODULES, digest, standalone, static

ROOT = Path(__file__).parents[3]


def test_the_digest_in_the_docs_is_the_file_s() -> None:
    """Auditors find the SHA-256 of this version's verifier in docs/auditors.md: after a change to it, put the new one there."""
    assert f"`{digest()}`" in (ROOT / "docs" / "auditors.md").read_text()
    assert hashlib.sha256(standalone()).hexdigest() == digest()


def test_it_holds_all_that_it_needs() -> None:
    """No file, no address: every module's code is in it, nothing is imported, and its policy allows no network."""
    html = standalone().decode()
    assert not re.search(r"^import ", html, re.MULTILINE)
    assert not re.search(r"""(?:src|href)=["']""", html)
    assert "default-src 'none'" in html
    assert "connect-src" not in html
    for name in MODULES:
        assert max(static(name).splitlines()[20:], key=len) in html


def test_the_verifier_is_short_and_reaches_for_nothing() -> None:
    """At most 400 lines of at most 128 characters; it imports nothing but what reads, and neither has network or clock."""
    verify, records = static("verify.mjs"), static("records.mjs")
    assert len(verify.splitlines()) <= 400
    assert max(map(len, [*verify.splitlines(), *records.splitlines()])) <= 128
    assert re.findall(r'from "([^"]*)"', verify) == ["./records.mjs"]
    assert "import" not in records
    for text in (verify, records):
        assert not re.search(r"\b(?:fetch|XMLHttpRequest|WebSocket|document|localStorage|Date|eval|Math\.random)\b", text)


def test_scripts_make_no_markup_of_text() -> None:
    """The panel builds elements; nothing that it is given is parsed as HTML."""
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write", static("panel.mjs"))

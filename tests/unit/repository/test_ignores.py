"""Whoever silences a tool says why, on the same line, the first time in a file."""

import re
from pathlib import Path

import pytest

from .tree import ROOT, python_files

INLINE = re.compile(r"#\s*(?:noqa(?P<noqa>:\s*[A-Z0-9, ]*[A-Z0-9])?|type:\s*ignore(?P<type>\[[\w, -]+\])?)(?P<rest>.*)$")
REASON = re.compile(r"\W+\w+\W+\w+")
LISTED = re.compile(r'^\s*"[\w.*/{},-]+"')


def silences(line: str) -> tuple[frozenset[str], bool] | None:
    """Return (the rules, whether a reason follows) of the first silencing comment in a line, None without one."""
    match = INLINE.search(line)
    if match is None:
        return None
    rules = re.findall(r"[A-Z]+[0-9]+|[a-z]+(?:-[a-z]+)*", match["noqa"] or match["type"] or "")
    return frozenset(rules), bool(REASON.match(match["rest"]))


def complaints(path: Path) -> list[str]:
    """Return the lines that silence a tool without naming the rule, or for a reason that the file has not given yet."""
    found: list[str] = []
    explained: set[str] = set()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        rules, reason = silences(line) or (frozenset({"nothing"}), True)
        if reason:
            explained |= rules
        if not rules or not rules <= explained:
            found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = 1", None),
        ("x = f()  # " + "noqa: S310", (frozenset({"S310"}), False)),
        ("x = f()  # " + "noqa", (frozenset(), False)),
        ("x = f()  # " + "noqa: S310, S311  # the address is the operator's", (frozenset({"S310", "S311"}), True)),
        ("x = f()  # " + "noqa: S310 - the address is the operator's", (frozenset({"S310"}), True)),
        ("x = f()  # " + "type: ignore[arg-type]", (frozenset({"arg-type"}), False)),
        ("x = f()  # " + "type: ignore[arg-type]  # its stub forgets None", (frozenset({"arg-type"}), True)),
    ],
)
def test_the_rule_tells_a_reason(line: str, expected: tuple[frozenset[str], bool] | None) -> None:
    """A silencing comment counts as explained only with codes and words after them."""
    assert silences(line) == expected


def test_inline_ignores_have_codes_and_reasons() -> None:
    """No source or test silences ruff or mypy without naming the rule and the reason."""
    here = Path(__file__)
    assert [line for path in python_files() if path != here for line in complaints(path)] == []


def test_configured_ignores_have_reasons() -> None:
    """Every ignore in pyproject.toml has its reason beside it."""
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    block = lines[lines.index("[tool.ruff.lint]") : lines.index("[tool.mypy]")]
    ruff = [line for line in block if LISTED.match(line)]
    mypy = [line for line in lines if line.startswith("ignore_")]
    assert ruff
    assert mypy
    assert [line for line in ruff + mypy if "#" not in line] == []

"""A case: what is given, the verdict that is asked for, how strongly, and why."""

from typing import Any

Case = dict[str, Any]

MUST, SHOULD, STRICT, OPEN = "must", "should", "strict", "open"


def accept(name: str, why: str, **fields: Any) -> Case:
    """Make a case that must be accepted."""
    return {"id": name, "verdict": "accept", "strength": MUST, "why": why, **fields}


def reject(name: str, why: str, strength: str = MUST, **fields: Any) -> Case:
    """Make a case that is to be refused: because a specification says so, or because this suite is strict."""
    return {"id": name, "verdict": "reject", "strength": strength, "why": why, **fields}


def undecided(name: str, why: str, **fields: Any) -> Case:
    """Make a case on which sound implementations differ: it may be accepted or refused, but must not crash."""
    return {"id": name, "verdict": "open", "strength": OPEN, "why": why, **fields}


def agree(case: Case, opinion: object) -> None:
    """Compare what a case states with the naive reference's opinion: None or False for refused, anything else for accepted.

    Raises:
        AssertionError: they differ, so the case or the reference is wrong.
    """
    accepted = opinion is not None and opinion is not False
    if case["verdict"] != "open" and (case["verdict"] == "accept") != accepted:
        raise AssertionError(f"{case['id']}: stated {case['verdict']}, but the reference says {opinion!r}")

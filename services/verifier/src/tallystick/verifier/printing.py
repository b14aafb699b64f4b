"""Printing for people, as plain lines; whoever has more to print with gives the command another `Screen`."""

import json
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

Rows = Iterable[tuple[str, str]]


class PrintRows(Protocol):
    """Prints a verdict, what it is about as (label, value), and then notes as (mark, sentence)."""

    def __call__(self, verdict: str, good: bool, rows: Rows, notes: Rows = ()) -> None:
        """Print."""


class PrintRefusal(Protocol):
    """Prints why something is not so."""

    def __call__(self, verdict: str, reason: str) -> None:
        """Print."""


class Screen(NamedTuple):
    """What a finding is printed with."""

    rows: PrintRows
    refusal: PrintRefusal


def visible(text: str) -> str:
    """Return the text with every character that does not print escaped: a bundle must not steer the reader's terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def write_error(command: str, error: object) -> None:
    """Say in one line on standard error why a command could not do its work; a server's words must not steer the terminal."""
    sys.stderr.write(f"tallystick {command}: {visible(str(error))}\n")


def print_plain_rows(verdict: str, good: bool, rows: Rows, notes: Rows = ()) -> None:
    """Print a line a fact."""
    lines = (verdict, *(f"{visible(label)}: {visible(value)}" for label, value in rows))
    sys.stdout.write("".join(f"{line}\n" for line in (*lines, *(f"{mark} {visible(said)}" for mark, said in notes))))


def print_plain_refusal(verdict: str, reason: str) -> None:
    """Print one line."""
    sys.stdout.write(f"{verdict}: {visible(reason)}\n")


def write_json(document: dict[str, Any]) -> None:
    """Write one JSON document to standard output."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


PLAIN = Screen(print_plain_rows, print_plain_refusal)

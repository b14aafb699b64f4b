"""The contract that keeps heads: its source, and what the compiler made of it.

`heads.vy` is the source; `heads.json` holds its ABI and bytecode, as `python -m tallystick.notary.anchors.contract` writes it
with the pinned compiler. A test compiles again and compares.
"""

import json
from importlib.resources import files
from typing import Any

__all__ = ["abi", "bytecode"]


def _compiled() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(files(__package__).joinpath("heads.json").read_bytes())
    return document


def abi() -> list[dict[str, Any]]:
    """Return the contract's ABI."""
    entries: list[dict[str, Any]] = _compiled()["abi"]
    return entries


def bytecode() -> bytes:
    """Return the code that creates the contract; it takes no arguments."""
    return bytes.fromhex(_compiled()["bytecode"].removeprefix("0x"))

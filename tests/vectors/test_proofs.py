"""The 196 public inclusion and consistency proofs, sound and broken (transparency-dev/merkle)."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tallystick.merkle.proofs import ProofError, verify_consistency, verify_inclusion

FOLDER = Path(__file__).parent / "merkle"
INCLUSION = sorted((FOLDER / "inclusion").rglob("*.json"))
CONSISTENCY = sorted((FOLDER / "consistency").rglob("*.json"))


def _name(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").as_posix()


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _proof(case: dict[str, Any]) -> list[bytes]:
    return [_bytes(step) for step in case["proof"] or []]


def test_every_case_is_there() -> None:
    """All 196 cases are run: none is lost to a renamed folder."""
    assert (len(INCLUSION), len(CONSISTENCY)) == (98, 98)


@pytest.mark.parametrize("path", INCLUSION, ids=_name)
def test_inclusion(path: Path) -> None:
    """A sound inclusion proof verifies and a broken one is refused."""
    case = json.loads(path.read_bytes())
    arguments = case["leafIdx"], case["treeSize"], _bytes(case["leafHash"]), _proof(case), _bytes(case["root"])
    if case["wantErr"]:
        with pytest.raises(ProofError):
            verify_inclusion(*arguments)
    else:
        verify_inclusion(*arguments)


@pytest.mark.parametrize("path", CONSISTENCY, ids=_name)
def test_consistency(path: Path) -> None:
    """A sound consistency proof verifies and a broken one is refused."""
    case = json.loads(path.read_bytes())
    arguments = case["size1"], case["size2"], _bytes(case["root1"]), _bytes(case["root2"]), _proof(case)
    if case["wantErr"]:
        with pytest.raises(ProofError):
            verify_consistency(*arguments)
    else:
        verify_consistency(*arguments)

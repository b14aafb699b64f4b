"""The kept corpora: a text file a target, one input a line in base64, shortest first."""

import base64
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def load(name: str) -> list[bytes]:
    """Return a target's kept inputs."""
    path = FOLDER / f"{name}.txt"
    return [base64.b64decode(line, validate=True) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def store(name: str, inputs: Iterable[bytes]) -> None:
    """Replace a target's kept inputs."""
    ordered = sorted(set(inputs), key=lambda data: (len(data), data))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.txt").write_text("".join([f"{base64.b64encode(data).decode()}\n" for data in ordered]))

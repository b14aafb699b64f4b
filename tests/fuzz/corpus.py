"""The kept corpora: a text file a target, one input a line in base64, shortest first.

`corpus` is minimised, and may lose any input that reaches nothing of its own; `findings` holds for good what was a defect.
"""

import base64
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
FINDINGS = Path(__file__).parent / "findings"


def load(name: str) -> list[bytes]:
    """Return a target's kept inputs."""
    paths = [path for folder in (FOLDER, FINDINGS) if (path := folder / f"{name}.txt").exists()]
    return [base64.b64decode(line, validate=True) for path in paths for line in path.read_text().split("\n")[:-1]]


def store(name: str, inputs: Iterable[bytes]) -> None:
    """Replace a target's kept inputs."""
    ordered = sorted(set(inputs), key=lambda data: (len(data), data))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.txt").write_text("".join([f"{base64.b64encode(data).decode()}\n" for data in ordered]))

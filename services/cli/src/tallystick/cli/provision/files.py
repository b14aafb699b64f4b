"""Files with secrets: made with mode 0600, never rewritten with the same content."""

import os
from pathlib import Path


def write_secret(path: Path, secret: str) -> None:
    """Write a secret that only this user can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)
    temporary.replace(path)

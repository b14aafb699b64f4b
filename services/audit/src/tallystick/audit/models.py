"""Model files by their digest."""

import asyncio
import hashlib
from pathlib import Path

from tallystick.audit.errors import InconsistentError, UnavailableError, UnknownError

COMPONENT = "models"
MAX_MODEL_BYTES = 256 * 2**20


class ModelFiles:
    """A directory of `<SHA-256 in hex>.json`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def probe(self) -> None:
        """Ask whether the directory is there. Raises UnavailableError."""
        if not await asyncio.to_thread(self._directory.is_dir):
            raise UnavailableError(COMPONENT, f"{self._directory} is not a directory")

    async def read(self, digest: str) -> bytes:
        """Return the model's exact bytes; `digest` is 64 lower-case hex digits.

        Raises:
            UnknownError: there is no such model.
            InconsistentError: the file is not what its name says.
            UnavailableError: the directory cannot be read.
        """
        return await asyncio.to_thread(self._read, digest)

    def _read(self, digest: str) -> bytes:
        try:
            with (self._directory / f"{digest}.json").open("rb") as file:
                data = file.read(MAX_MODEL_BYTES)
        except FileNotFoundError:
            raise UnknownError("There is no model file with this digest here.") from None
        except OSError as error:
            raise UnavailableError(COMPONENT, str(error)) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise InconsistentError("The model file is not the one that its digest names.")
        return data

"""How far a log was checked, kept in a file: a check that was broken off, or a log that has grown, goes on from there.

    {"format": "tallystick/fsck/v1", "logs": {"<origin>": {"size": 512, "root": "<hex>", "state": {…}}}}

The state is empty where the entries are read anew each time (governance) or their meaning is not looked at. The file is the
auditor's own note; whoever can write it can have entries skipped, as with any program's files.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tallystick.merkle.hashing import HASH_SIZE
from tallystick.runtime.durable_files import replace_file

FORMAT = "tallystick/fsck/v1"


class SavedError(Exception):
    """The file is not one of this program's; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far one log was checked: the size and root so far, and what its meaning came to as JSON values."""

    size: int
    root: str
    state: dict[str, Any]


class SavedPlaces:
    """The places of all logs in one file, or in none."""

    def __init__(self, path: Path | None) -> None:
        """Read the file if there is one. Raises SavedError."""
        self._path = path
        self._places: dict[str, Place] = {}
        if path is None:
            return
        with suppress(FileNotFoundError):
            try:
                document = json.loads(path.read_bytes())
                if document["format"] != FORMAT:
                    raise ValueError(f"its format is {document['format']!r}")
                self._places = {origin: _checked(Place(**place)) for origin, place in document["logs"].items()}
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise self.refused(error) from None
            except OSError as error:
                if isinstance(error, FileNotFoundError):
                    raise
                raise SavedError(f"cannot read {path}: {error.strerror}") from None

    def refused(self, reason: object) -> SavedError:
        """Return the error that says that the file is not what it should be."""
        return SavedError(f"{self._path} is no saved place of fsck's ({reason}); name another file, or remove it")

    def get(self, origin: str) -> Place | None:
        """Return how far a log was checked, None if not at all."""
        return self._places.get(origin)

    def put(self, origin: str, place: Place) -> None:
        """Keep how far a log was checked; whole or not at all, should the machine stop meanwhile. Raises SavedError."""
        self._places[origin] = place
        if self._path is None:
            return
        document = {"format": FORMAT, "logs": {name: asdict(one) for name, one in self._places.items()}}
        try:
            replace_file(self._path, json.dumps(document).encode())
        except OSError as error:
            raise SavedError(f"cannot write {self._path}: {error.strerror}") from None


def _checked(place: Place) -> Place:
    """Return the place. Raises ValueError or TypeError if something in it is of another kind."""
    if not isinstance(place.size, int) or place.size < 0 or not isinstance(place.state, dict):
        raise ValueError("a size or a state is none")
    if len(bytes.fromhex(place.root)) != HASH_SIZE:
        raise ValueError(f"a root is not {HASH_SIZE} bytes")
    return place

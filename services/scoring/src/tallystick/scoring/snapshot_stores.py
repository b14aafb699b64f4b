"""Where snapshots are: one Protocol, kept by a directory or by a bucket."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tallystick.runtime.bucket import Bucket
from tallystick.runtime.durable_files import sync

_PIECE_BYTES = 1 << 20
_TEMPORARY = ".tmp-"


class SnapshotStore(Protocol):
    """Objects by name; names have slashes.

    Durability: what `write` wrote is whole and survives a power cut when it returns. One that raises, or whose process dies,
    has left nothing that `names` shows.

    Every method blocks, so call it from a thread, and may raise OSError: the place is full, forbidden or away.
    """

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin with `prefix`, which ends at a slash, in order."""
        ...

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """Write an object; what `parts` raises is raised."""
        ...

    def read(self, name: str) -> Iterator[bytes]:
        """Give an object's bytes, in order."""
        ...

    def delete(self, name: str) -> None:
        """Delete an object; fine if it is gone."""
        ...

    def sweep(self, prefix: str) -> None:
        """Delete what interrupted writes below `prefix` left; one that is under way there fails by it."""
        ...


class DirectoryStore:
    """See `SnapshotStore`. Only its owner can read files and folders."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self, prefix: str) -> list[str]:
        """See `SnapshotStore`."""
        self._make_folders(self._directory)
        next(self._directory.iterdir(), None)  # what it may not read, rglob passes over in silence
        found = [path for path in (self._directory / prefix).rglob("*") if path.is_file()]
        return sorted(path.relative_to(self._directory).as_posix() for path in found if not path.name.startswith(_TEMPORARY))

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """See `SnapshotStore`."""
        target = self._directory / name
        self._make_folders(target.parent)
        temporary = target.with_name(_TEMPORARY + target.name)
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        for above in (target.parent, *target.parent.relative_to(self._directory).parents):
            sync(self._directory / above)

    def read(self, name: str) -> Iterator[bytes]:
        """See `SnapshotStore`."""
        with (self._directory / name).open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def delete(self, name: str) -> None:
        """See `SnapshotStore`."""
        (self._directory / name).unlink(missing_ok=True)

    def sweep(self, prefix: str) -> None:
        """See `SnapshotStore`."""
        for path in (self._directory / prefix).rglob(f"{_TEMPORARY}*"):
            path.unlink(missing_ok=True)

    def _make_folders(self, folder: Path) -> None:
        for one in (*reversed([above for above in folder.parents if above.is_relative_to(self._directory)]), folder):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)


class BucketStore:
    """See `SnapshotStore`. Who may read is the bucket's policy; parts of interrupted uploads are for its lifecycle rule."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def names(self, prefix: str) -> list[str]:
        """See `SnapshotStore`."""
        return sorted(self._bucket.keys(prefix))

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """See `SnapshotStore`."""
        self._bucket.upload(name, parts)

    def read(self, name: str) -> Iterator[bytes]:
        """See `SnapshotStore`."""
        return self._bucket.download(name)

    def delete(self, name: str) -> None:
        """See `SnapshotStore`."""
        self._bucket.delete(name)

    def sweep(self, prefix: str) -> None:
        """See `SnapshotStore`; nothing to be seen."""

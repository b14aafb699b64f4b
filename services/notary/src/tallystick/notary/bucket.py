"""A log's public files and staging objects in an S3-compatible store: whole or not there, durable when a method returns.

<prefix>/checkpoint            replaced by comparing its entity tag, never by a smaller one
<prefix>/tile/...              C2SP tlog-tiles; created, never replaced
<prefix>/.staging/<name>       staging objects

Types and caching are set so that `checkpoint` and `tile/` can be served as they lie there; to whom, and that `.staging/` is
not, is the bucket's policy.
"""

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import HASH_SIZE
from tallystick.merkle.tiles import ENTRIES, TilePath
from tallystick.notary.staging import is_stale
from tallystick.notary.storage import missing, other_bytes, refuse_if_after
from tallystick.runtime.bucket import (
    Bucket,
    BucketError,
    BucketRefusedError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectNotFoundError,
    Stored,
)
from tallystick.runtime.settings import SettingError

WRITERS = 16
MAX_TRIES = 256  # each but the last means that another notary has published meanwhile
CHECKPOINT = "checkpoint"
STAGING = ".staging/"
_BYTES = {"Content-Type": "application/octet-stream"}
_NOTE_HEADERS = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"}
_STAGED_HEADERS = _BYTES | {"Cache-Control": "private, no-store"}
_ENTRIES_HEADERS = _BYTES | {"Cache-Control": "private, max-age=31536000, immutable"}  # not for everybody in every log
_FULL_HEADERS = _BYTES | {"Cache-Control": "public, max-age=31536000, immutable"}
_PARTIAL_HEADERS = _BYTES | {"Cache-Control": "public, max-age=60"}


class LogBucket:
    """See `LogStorage`.

    Args:
        bucket: the log's own prefix.

    """

    component = "bucket"

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="bucket")
        self._tried_out = False

    def prepare(self) -> None:
        """See `LogStorage`."""
        try:
            self._try_out()
        except BucketRefusedError as error:
            raise SettingError("log_store", str(error)) from error
        except BucketError:
            pass  # it may be back when it is needed, and is tried out then

    def begin(self, epoch: int, staged: str | None) -> None:
        """See `LogStorage`."""
        self._try_out()
        for key in self._bucket.keys(STAGING):
            if is_stale(key.removeprefix(STAGING), epoch, staged):
                self._bucket.delete(key)

    def stage(self, name: str, data: bytes) -> None:
        """See `LogStorage`."""
        self._create(STAGING + name, data, _STAGED_HEADERS)

    def read_staged(self, name: str) -> bytes | None:
        """See `LogStorage`."""
        try:
            return self._bucket.get(STAGING + name).data
        except ObjectNotFoundError:
            return None

    def drop_staged(self, name: str) -> None:
        """See `LogStorage`."""
        self._bucket.delete(STAGING + name)

    def publish(self, files: Mapping[TilePath, bytes]) -> None:
        """See `LogStorage`."""
        list(self._writers.map(lambda item: self._create(item[0].path(), item[1], _headers(item[0])), files.items()))
        # Of a level's full tiles only the first can have had partial ones: what comes after it was begun in this very batch.
        first: dict[int, TilePath] = {}
        for path in filter(lambda path: path.is_full, files):
            first[path.level] = min(path, first.get(path.level, path), key=lambda path: path.index)
        for path in first.values():
            for key in self._bucket.keys(f"{path.path()}.p/"):
                self._bucket.delete(key)

    def read_tile(self, path: TilePath) -> bytes:
        """See `LogStorage`."""
        with suppress(ObjectNotFoundError):
            return self._bucket.get(path.path()).data
        with suppress(ObjectNotFoundError):
            if path.level != ENTRIES:
                return self._bucket.get(path.full().path()).data[: path.width * HASH_SIZE]
        raise missing(f"{self._bucket.url}/{path.path()}")

    def read_checkpoint(self) -> bytes | None:
        """See `LogStorage`."""
        present = self._checkpoint()
        return None if present is None else present.data

    def replace_checkpoint(self, checkpoint: Checkpoint, note: bytes) -> None:
        """See `LogStorage`."""
        for _ in range(MAX_TRIES):
            present = self._checkpoint()
            if present is not None:
                refuse_if_after(present.data, checkpoint)
            with suppress(ObjectExistsError, ObjectChangedError):
                if present is None:
                    self._bucket.create(CHECKPOINT, note, _NOTE_HEADERS)
                else:
                    self._bucket.replace(CHECKPOINT, note, present.tag, _NOTE_HEADERS)
                return
        raise BucketError(f"{self._bucket.url}/{CHECKPOINT}: changed {MAX_TRIES} times while it was to be replaced")

    def _checkpoint(self) -> Stored | None:
        try:
            return self._bucket.get(CHECKPOINT)
        except ObjectNotFoundError:
            return None

    def _create(self, key: str, data: bytes, headers: Mapping[str, str]) -> None:
        try:
            self._bucket.create(key, data, headers)
        except ObjectExistsError:
            # By an attempt before this one, or by a notary that was fenced: both write what the database committed.
            if self._bucket.get(key).data != data:
                raise other_bytes(f"{self._bucket.url}/{key}") from None

    def _try_out(self) -> None:
        """Ask once whether the store honours conditional writes. Raises SettingError if not, and BucketError."""
        if self._tried_out:
            return
        key = f".tried-out/{secrets.token_hex(8)}"
        self._bucket.create(key, b"first")
        try:
            if not (self._refuses_to_create(key) and self._refuses_to_replace(key)):
                raise SettingError(
                    "log_store",
                    f"{self._bucket.url}: the store ignores the conditions If-None-Match and If-Match, so a second notary, "
                    "started by mistake, could fork the log; use a store that honours them",
                )
        finally:
            self._bucket.delete(key)
        self._tried_out = True

    def _refuses_to_create(self, key: str) -> bool:
        try:
            self._bucket.create(key, b"second")
        except ObjectExistsError:
            return True
        return False

    def _refuses_to_replace(self, key: str) -> bool:
        try:
            self._bucket.replace(key, b"third", '"00000000000000000000000000000000"')
        except ObjectChangedError:
            return True
        return False


def _headers(path: TilePath) -> Mapping[str, str]:
    if path.level == ENTRIES:
        return _ENTRIES_HEADERS
    return _FULL_HEADERS if path.is_full else _PARTIAL_HEADERS

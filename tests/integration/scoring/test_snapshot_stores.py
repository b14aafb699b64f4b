"""What any store of snapshots must do: one suite, over a directory and over an S3-compatible store; and each by itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tallystick.runtime.bucket import Bucket, BucketError, BucketRefusedError
from tallystick.scoring.snapshot_stores import BucketStore, DirectoryStore, SnapshotStore

from ..s3 import BUCKET, S3Server

NAME = "transactions/3/00000000000000000100-1700000000000.snapshot"
ENDLESS = """
import sys, pathlib
from tallystick.scoring.snapshot_stores import DirectoryStore
def parts():
    for number in range(10**9):
        yield bytes(100_000)
        if number == 5:
            print("writing", flush=True)
DirectoryStore(pathlib.Path(sys.argv[1])).write(sys.argv[2], parts())
"""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Provide a server for the whole module; each test has a prefix of its own."""
    with S3Server(tmp_path_factory.mktemp("s3"), strict=True) as server:
        yield server


@pytest.fixture(params=["directory", "bucket"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SnapshotStore]:
    """Provide what opens the test's store, again and again."""
    if request.param == "directory":
        return lambda: DirectoryStore(tmp_path / "made" / "here")
    server: S3Server = request.getfixturevalue("s3")
    return lambda: BucketStore(Bucket(f"s3://{BUCKET}/{tmp_path.name}", server.settings()))


def test_what_was_written_is_there(opened: Callable[[], SnapshotStore]) -> None:
    """An object of many megabytes reads as its parts were, by another client too; written again it is the new one."""
    parts = [os.urandom(1_300_000) for _ in range(16)]
    opened().write(NAME, iter([b"older"]))
    opened().write(NAME, iter(parts))
    assert b"".join(opened().read(NAME)) == b"".join(parts)
    assert opened().names("transactions/") == [NAME]


def test_names_are_in_order_and_of_the_prefix(opened: Callable[[], SnapshotStore]) -> None:
    """At first there are none; deleting is fine twice."""
    store = opened()
    assert store.names("transactions/3/") == []
    names = [f"transactions/{number}/{sequence:020d}" for number in (3, 33) for sequence in (2, 10, 9)]
    for name in names:
        store.write(name, iter([b"x"]))
    assert store.names("transactions/3/") == sorted(names[:3])
    assert store.names("transactions/") == sorted(names)
    for _ in range(2):
        store.delete(names[0])
    assert names[0] not in opened().names("transactions/")


def test_one_that_fails_leaves_nothing(opened: Callable[[], SnapshotStore]) -> None:
    """What the parts raise is raised, and no name shows."""

    class MadeError(Exception):
        pass

    def failing() -> Iterator[bytes]:
        yield bytes(12_000_000)
        raise MadeError

    with pytest.raises(MadeError):
        opened().write(NAME, failing())
    assert opened().names("transactions/") == []
    with pytest.raises(OSError, match="transactions"):
        list(opened().read(NAME))


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    """They hold personal data."""
    DirectoryStore(tmp_path / "snapshots").write(NAME, iter([b"x"]))
    modes = {path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes.pop(f"snapshots/{NAME}") == 0o600
    assert set(modes.values()) == {0o700}


def test_a_writer_killed_leaves_no_name_and_is_swept_up(tmp_path: Path) -> None:
    """Killed (-9) in the middle of a file: no name shows, and the next start deletes what is left."""
    store = DirectoryStore(tmp_path)
    writer = subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path), NAME], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert [path.stat().st_size > 0 for path in tmp_path.rglob(".tmp-*")] == [True]
    assert store.names("transactions/") == []
    store.sweep("transactions/3/")
    assert not list(tmp_path.rglob(".tmp-*"))


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """The file cannot grow: an OSError, and nothing of it stays to fill the disk."""
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))" + ENDLESS
    ended = subprocess.run([sys.executable, "-c", limited, str(tmp_path), NAME], capture_output=True, text=True, check=False)
    assert "OSError: [Errno 27] File too large" in ended.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_place_that_is_none_says_so(tmp_path: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        DirectoryStore(tmp_path / "file" / "snapshots").names("transactions/")


def test_a_store_that_refuses_or_is_away_says_so(s3: S3Server) -> None:
    """Without its errors' text, which quotes keys."""
    stranger = BucketStore(Bucket(f"s3://{BUCKET}/x", s3.settings(s3_access_key_id="NOBODY")))
    with pytest.raises(BucketRefusedError, match="refuses us"):
        stranger.write(NAME, iter([b"x"]))
    away = BucketStore(Bucket(f"s3://{BUCKET}/x", s3.settings(port=1)))
    with pytest.raises(BucketError, match="no answer"):
        away.names("transactions/")

"""What any storage of a log must do: one suite, over a directory and over an S3-compatible store."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.merkle.tiles import ENTRIES, TilePath
from tallystick.notary.bucket import LogBucket
from tallystick.notary.directory import LogDirectory
from tallystick.notary.errors import CorruptLogError, FencedError, ForkError
from tallystick.notary.storage import LogStorage
from tallystick.runtime.bucket import Bucket
from tallystick.runtime.settings import SettingError

from ..proxy import CuttableProxy
from ..s3 import BUCKET, S3Server

WRITERS = 64
Opened = Callable[[int], LogStorage]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Provide a server for the whole module; each test has a prefix of its own."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["directory", "bucket"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Provide what opens the test's log as a writer of some epoch."""
    if request.param == "bucket":
        server: S3Server = request.getfixturevalue("s3")

    def begun(epoch: int) -> LogStorage:
        storage: LogStorage = LogDirectory(tmp_path / "public", tmp_path / "staging")
        if request.param == "bucket":
            storage = LogBucket(Bucket(f"s3://{BUCKET}/{tmp_path.name}", server.settings()))
        storage.prepare()
        storage.begin(epoch, None)
        return storage

    return begun


def root(at: int) -> bytes:
    """Return some root."""
    return hashlib.sha256(b"%d" % at).digest()


def note(size: int, at: int, signature: int = 0) -> tuple[Checkpoint, bytes]:
    """Return a checkpoint and a note of it; storage does not verify signatures."""
    checkpoint = Checkpoint("example/log", size, root(at))
    line = SignatureLine("example/log", b"1234", bytes([signature]) * 64)
    return checkpoint, Note(checkpoint.encode(), (line,)).encode()


def test_a_staging_object_is_kept_until_it_is_dropped(opened: Opened) -> None:
    """It reads as it was written, by another writer too; staging it again and dropping it twice is fine."""
    name, data = "00000001-1-a", b"all of it" * 1_000_000
    assert opened(1).read_staged(name) is None
    for _ in range(2):
        opened(0).stage(name, data)
    assert opened(0).read_staged(name) == data
    for _ in range(2):
        opened(0).drop_staged(name)
    assert opened(0).read_staged(name) is None


def test_a_beginning_writer_deletes_only_what_nobody_can_commit(opened: Opened) -> None:
    """Garbage of earlier writers goes; the committed object, and whatever a later writer staged or is none of ours, stays."""
    log, names = opened(0), ["00000001-1-a", "00000002-2-b", "00000002-3-c", "00000003-4-d", ".nfs0000000100000001"]
    for name in names:
        log.stage(name, b"x")

    log.begin(2, names[1])

    assert [name for name in names if log.read_staged(name) is not None] == [names[1], *names[3:]]


def test_a_public_file_is_never_changed(opened: Opened) -> None:
    """The same bytes again are fine; others are refused, whoever brings them, and what was public stays."""
    path, wanted = TilePath(0, 1_234_067), b"a" * 8192
    for epoch in (1, 2):
        opened(epoch).publish({path: wanted})

    with pytest.raises(CorruptLogError, match="x001/x234/067 is public already, with other bytes"):
        opened(3).publish({path: b"b" * 8192})

    assert opened(3).read_tile(path) == wanted


def test_a_full_tile_takes_the_place_of_its_partial_ones(opened: Opened) -> None:
    """Partial tiles go once the full one is there, and are read from it from then on; partial bundles cannot be."""
    log = opened(1)
    log.publish({TilePath(0, 0, 3): b"a" * 96, TilePath(ENTRIES, 0, 3): b"abc"})
    log.publish({TilePath(0, 0, 5): b"a" * 160, TilePath(ENTRIES, 0, 5): b"abcde"})
    log.publish(
        {TilePath(0, 0): b"a" * 8192, TilePath(0, 1): b"b" * 8192, TilePath(0, 2, 7): b"c" * 224, TilePath(ENTRIES, 0): b"all"}
    )

    assert log.read_tile(TilePath(0, 0, 3)) == b"a" * 96
    assert log.read_tile(TilePath(0, 2, 7)) == b"c" * 224
    for path in (TilePath(ENTRIES, 0, 3), TilePath(ENTRIES, 0, 5), TilePath(0, 2, 8)):
        with pytest.raises(CorruptLogError, match="is missing"):
            log.read_tile(path)


def test_no_smaller_checkpoint_and_no_second_root_replaces_the_public_one(opened: Opened) -> None:
    """Storage itself refuses what a fenced notary, waking up late, might still write; the same again is fine."""
    log = opened(1)
    assert log.read_checkpoint() is None
    for _ in range(2):
        log.replace_checkpoint(*note(5, 0))
    log.replace_checkpoint(*note(5, 0, 1))  # cosigned anew

    with pytest.raises(FencedError, match="size 5 is public"):
        log.replace_checkpoint(*note(4, 0))
    with pytest.raises(ForkError, match="another root"):
        log.replace_checkpoint(*note(5, 1))

    assert opened(2).read_checkpoint() == note(5, 0, 1)[1]


def race(opened: Opened, notes: list[tuple[Checkpoint, bytes]]) -> list[type[BaseException] | None]:
    """Publish all notes at once, each by a writer of its own; return what became of each."""
    logs = [opened(epoch) for epoch in reversed(range(len(notes)))]  # a later writer clears away what an earlier one has
    start = threading.Barrier(len(notes))

    def publish(at: int) -> type[BaseException] | None:
        start.wait()
        try:
            logs[at].replace_checkpoint(*notes[at])
        except (FencedError, ForkError) as error:
            return type(error)
        return None

    with ThreadPoolExecutor(len(notes)) as threads:
        return list(threads.map(publish, range(len(notes))))


def test_of_many_roots_for_one_size_one_wins(opened: Opened) -> None:
    """However many notaries publish at once, there is one root: the others learn of the fork."""
    notes = [note(7, at) for at in range(WRITERS)]

    outcomes = race(opened, notes)

    assert sorted(map(str, outcomes)) == sorted(map(str, [None] + [ForkError] * (WRITERS - 1)))
    assert opened(0).read_checkpoint() == notes[outcomes.index(None)][1]


def test_of_many_sizes_the_largest_stays(opened: Opened) -> None:
    """Whatever the order, no smaller checkpoint takes the place of a larger one."""
    notes = [note(1 + at * 37 % WRITERS, at) for at in range(WRITERS)]

    outcomes = race(opened, notes)

    largest = max(notes, key=lambda item: item[0].size)
    assert outcomes[notes.index(largest)] is None
    assert {FencedError, None} >= set(outcomes)
    assert opened(0).read_checkpoint() == largest[1]


def test_a_reader_never_sees_half_of_a_file(opened: Opened) -> None:
    """While checkpoints and a tile are written, whoever reads gets one or the other, whole."""
    log, reader, done = opened(1), opened(0), threading.Event()
    tile = TilePath(0, 0)
    log.replace_checkpoint(*note(0, 0))

    def read() -> tuple[set[int], set[int]]:
        sizes, lengths = set(), set()
        while not done.is_set():
            sizes.add(Checkpoint.parse(Note.parse(reader.read_checkpoint() or b"").text).size)
            try:
                lengths.add(len(reader.read_tile(tile)))
            except CorruptLogError:
                lengths.add(0)
        return sizes, lengths

    with ThreadPoolExecutor(1) as threads:
        seen = threads.submit(read)
        for size in range(1, 60):
            log.replace_checkpoint(*note(size, size))
        log.publish({tile: b"a" * 8192})
        read_once = reader.read_tile(tile)
        done.set()
        sizes, lengths = seen.result()

    assert len(read_once) == 8192
    assert sizes <= set(range(60))
    assert len(sizes) > 1
    assert lengths <= {0, 8192}


def test_what_was_published_in_part_is_completed_by_the_same_call(opened: Opened) -> None:
    """A batch of which an earlier attempt wrote some files is written again as a whole; nothing is refused or lost."""
    files = {TilePath(0, at): bytes([at]) * 8192 for at in range(40)}
    opened(1).publish(dict(list(files.items())[10:20]))

    opened(2).publish(files)

    assert all(opened(0).read_tile(path) == data for path, data in files.items())


# What only a bucket has.


def bucket(server: S3Server, tmp_path: Path, port: int | None = None, **changes: object) -> LogBucket:
    """Return the test's log in a bucket."""
    return LogBucket(Bucket(f"s3://{BUCKET}/{tmp_path.name}", server.settings(port, **changes)))


def test_a_bucket_that_is_not_there_is_refused_by_its_settings_name(s3: S3Server, tmp_path: Path) -> None:
    """Nothing is written before the place is known to be one."""
    log = LogBucket(Bucket("s3://nobodys/log", s3.settings()))
    with pytest.raises(SettingError, match="TALLYSTICK_LOG_STORE: s3://nobodys/log: there is no such bucket"):
        log.prepare()
    for effect in (lambda: log.begin(1, None), log.read_checkpoint, lambda: log.drop_staged("a")):
        with pytest.raises(OSError, match="no such bucket"):
            effect()


def test_who_is_not_known_is_refused_and_no_secret_is_said(tmp_path: Path) -> None:
    """A wrong key, a wrong secret, or the right one without the right to write: refused by name."""
    with S3Server(tmp_path, strict=True) as server:
        bucket(server, tmp_path).prepare()
        wrong = tmp_path / "wrong"
        wrong.write_text("another secret")
        reader = server.new_user("s3:Get*")
        for changes in (
            {"s3_access_key_id": "somebody"},
            {"s3_secret_access_key_file": wrong},
            {"s3_access_key_id": reader[0], "s3_secret_access_key_file": reader[1]},
        ):
            with pytest.raises(SettingError, match=r"TALLYSTICK_LOG_STORE: .* the store refuses us") as refused:
                bucket(server, tmp_path, **changes).prepare()
            assert "secret" not in str(refused.value)
            assert server.access_key not in str(refused.value)


@pytest.mark.parametrize("header", [b"if-none-match", b"if-match"])
def test_a_store_that_ignores_conditions_is_refused(s3: S3Server, tmp_path: Path, header: bytes) -> None:
    """Of two writers both would win, so nothing is written there."""

    def strip(data: bytes) -> bytes:
        return data.replace(header, b"x" + header)

    with CuttableProxy(s3.port, strip) as proxy:
        log = bucket(s3, tmp_path, proxy.port)
        with pytest.raises(SettingError, match="the store ignores the conditions"):
            log.prepare()
        with pytest.raises(SettingError, match="the store ignores the conditions"):
            log.begin(1, None)
    assert s3.objects(f"{tmp_path.name}/") == {}


def test_a_store_that_is_away_is_waited_for(s3: S3Server, tmp_path: Path) -> None:
    """Away at the start it is no wrong setting; every effect says so, and is repeated when it is back."""
    files = {TilePath(0, at): bytes([at]) * 8192 for at in range(40)}
    with CuttableProxy(s3.port) as proxy:
        log = bucket(s3, tmp_path, proxy.port)
        proxy.cut()
        log.prepare()
        for effect in (
            lambda: log.begin(1, None),
            lambda: log.publish(files),
            log.read_checkpoint,
            lambda: log.stage("a", b""),
        ):
            with pytest.raises(OSError, match="no answer"):
                effect()
        proxy.restore()
        log.begin(1, None)
        log.publish(files)
        log.replace_checkpoint(*note(1, 1))
    assert set(s3.objects(f"{tmp_path.name}/")) == {"checkpoint", *(path.path() for path in files)}


def test_a_checkpoint_whose_acknowledgement_was_lost_is_known_again(s3: S3Server, tmp_path: Path) -> None:
    """It was published and said not to have been; publishing it again finds it there, and the next one follows it."""
    with CuttableProxy(s3.port) as proxy:
        log = bucket(s3, tmp_path, proxy.port)
        log.begin(1, None)
        proxy.drop_answer_to(b"PUT /logs/%b/checkpoint" % tmp_path.name.encode())
        with pytest.raises(OSError, match="no answer"):
            log.replace_checkpoint(*note(3, 1))
        assert s3.objects(f"{tmp_path.name}/") == {"checkpoint": note(3, 1)[1]}
        proxy.restore()
        log.replace_checkpoint(*note(3, 1))
        log.replace_checkpoint(*note(4, 1))
    assert s3.objects(f"{tmp_path.name}/") == {"checkpoint": note(4, 1)[1]}


def test_files_can_be_served_as_they_lie(s3: S3Server, tmp_path: Path) -> None:
    """Types and caching are C2SP's; a note is asked for anew, full tiles never, and entries are nobody else's to keep."""
    log = bucket(s3, tmp_path)
    log.begin(1, None)
    log.stage("00000001-1-a", b"")
    log.replace_checkpoint(*note(1, 1))
    log.replace_checkpoint(*note(2, 1))
    log.publish({TilePath(0, 0): b"", TilePath(0, 1, 2): b"", TilePath(ENTRIES, 0): b""})
    expected = {
        "checkpoint": ("text/plain; charset=utf-8", "no-cache"),
        "tile/0/000": ("application/octet-stream", "public, max-age=31536000, immutable"),
        "tile/0/001.p/2": ("application/octet-stream", "public, max-age=60"),
        "tile/entries/000": ("application/octet-stream", "private, max-age=31536000, immutable"),
        ".staging/00000001-1-a": ("application/octet-stream", "private, no-store"),
    }
    for key, headers in expected.items():
        answer = s3.client().head_object(Bucket=BUCKET, Key=f"{tmp_path.name}/{key}")
        assert (answer["ContentType"], answer["CacheControl"]) == headers


def test_nothing_is_taken_from_the_environment(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other programs are told of S3 does not send a log elsewhere, nor without its conditions."""
    for name, value in {
        "AWS_ENDPOINT": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_REGION": "mars-1",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_CONDITIONAL_PUT": "disabled",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    }.items():
        monkeypatch.setenv(name, value)
    log = bucket(s3, tmp_path)
    log.prepare()
    log.begin(1, None)
    log.replace_checkpoint(*note(1, 1))
    assert set(s3.objects(f"{tmp_path.name}/")) == {"checkpoint"}

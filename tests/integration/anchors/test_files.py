"""Anchors beside a log, in a directory and in a bucket: the same behaviour of both."""

import asyncio
import copy
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.runtime import anchor_files
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.log_reader import LogUnavailableError

from ..s3 import BUCKET, S3Server

BILLION = 10**9


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run an S3-compatible server."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["directory", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> AnchorFiles:
    """Return a log's anchors, none yet."""
    if request.param == "directory":
        log = tmp_path / "decisions"
        log.mkdir()
        return AnchorFiles(log.as_uri())
    s3: S3Server = request.getfixturevalue("s3")
    return AnchorFiles(f"s3://{BUCKET}/{tmp_path.name}/decisions", s3.settings())


async def test_receipts_are_found_by_size(files: AnchorFiles) -> None:
    """In the order of sizes, also where the number of digits changes and where a folder ends."""
    assert (await files.sizes(), await files.newest("tsa1"), await files.covering(1)) == ([], None, {})
    sizes = [5, 99, 100, 7 * BILLION - 1, 7 * BILLION, 12 * BILLION + 3]
    for size in reversed(sizes):
        await files.keep(size, b"note %d" % size, "tsa1", b"receipt %d" % size)
    await files.keep(100, b"note 100", "chain1", b"event 100")
    assert await files.sizes() == sizes
    assert await files.sizes(100) == sizes[2:]
    assert await files.sizes(101, 2) == sizes[3:5]
    assert await files.receipts(100) == {"tsa1": b"receipt 100", "chain1": b"event 100"}
    assert await files.receipts(101) == {}
    assert await files.checkpoint(100) == b"note 100"
    assert await files.checkpoint(101) is None
    assert (await files.newest("tsa1"), await files.newest("chain1"), await files.newest("tsa2")) == (sizes[-1], 100, None)


async def test_the_earliest_that_covers_is_found(files: AnchorFiles) -> None:
    """For each of those who anchor: the smallest head of a size or more."""
    for size, by in ((10, "tsa1"), (20, "chain1"), (30, "tsa1"), (40, "chain1")):
        await files.keep(size, b"note", by, b"%d" % size)
    assert await files.covering(10) == {"tsa1": (10, b"10"), "chain1": (20, b"20")}
    assert await files.covering(11) == {"tsa1": (30, b"30"), "chain1": (20, b"20")}
    assert await files.covering(31) == {"chain1": (40, b"40")}
    assert await files.covering(41) == {}


async def test_a_receipt_is_replaced_and_dropped(files: AnchorFiles) -> None:
    """The same again changes nothing, another takes its place, a dropped one is gone, and dropping it again is fine."""
    await files.keep(10, b"note", "tsa1", b"one")
    await files.keep(10, b"note", "tsa1", b"one")
    await files.keep(10, b"newer note", "tsa1", b"two")
    assert (await files.receipts(10), await files.checkpoint(10)) == ({"tsa1": b"two"}, b"newer note")
    for _ in range(2):
        await files.drop(10, "tsa1")
    assert (await files.receipts(10), await files.sizes()) == ({}, [])


async def test_what_others_write_is_seen(files: AnchorFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is not listed again as long as it stays as it is, and it is as soon as another process has written there."""
    monkeypatch.setattr(anchor_files, "_SETTLED_S", 0.0)
    monkeypatch.setattr(anchor_files, "_BUCKET_S", 0.1)
    await files.keep(10, b"note", "tsa1", b"one")
    assert (await files.sizes(), await files.newest("tsa1")) == ([10], 10)
    other = copy.copy(files)
    other._listed = {}
    await asyncio.sleep(0.2)
    await other.keep(20, b"note", "tsa1", b"two")
    await other.keep(20, b"note", "chain1", b"two")
    await asyncio.sleep(0.2)
    assert (await files.sizes(), await files.newest("chain1")) == ([10, 20], 20)
    assert await files.receipts(20) == {"tsa1": b"two", "chain1": b"two"}


async def test_a_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a year of anchors a bundle would take seconds. What changed a moment ago is listed again: clocks have steps."""
    files = AnchorFiles(tmp_path.as_uri())
    await files.keep(10, b"note", "tsa1", b"one")
    listed: list[Path] = []
    listdir = os.listdir

    def recorded(path: Path) -> list[str]:
        listed.append(path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", recorded)
    folder = tmp_path / "anchors/0000000000"
    for age_s in (60, 0):
        os.utime(folder, (time.time() - age_s, time.time() - age_s))
        listed.clear()
        for _ in range(3):
            assert (await files.covering(1), await files.receipts(10)) == ({"tsa1": (10, b"one")}, {"tsa1": b"one"})
        assert (listed.count(folder) > 1) is (age_s == 0)


async def test_what_lies_there_besides_is_passed_over(tmp_path: Path) -> None:
    """Half-written files, strangers' names."""
    files = AnchorFiles(tmp_path.as_uri())
    await files.keep(10, b"note", "tsa1", b"one")
    for name in (".000000011.tsa1.json.tmp", "000000012.TSA.json", "13.tsa1.json", "README"):
        (tmp_path / "anchors/0000000000" / name).write_bytes(b"x")
    (tmp_path / "anchors/notes").mkdir()
    assert await files.sizes() == [10]


async def test_over_http_there_are_none(tmp_path: Path) -> None:
    """Nothing can be listed there, and nothing be written."""
    files = AnchorFiles("http://127.0.0.1:9/decisions")
    assert (await files.sizes(), await files.covering(1)) == ([], {})
    with pytest.raises(LogUnavailableError, match="read over HTTP"):
        await files.keep(10, b"note", "tsa1", b"one")

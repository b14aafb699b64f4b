"""The spool: what is on disk once `append` has returned, whatever happens to the process, the file or the disk."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from tallystick.contracts import Fallback, SpooledFallback
from tallystick.gateway.spool import FILE, Spool, SpoolError

ID = bytes(range(16))
LARGE = 10**9


def made(name: str) -> SpooledFallback:
    """Return something to be spooled."""
    return SpooledFallback(fallback=Fallback(channel=name), transaction=name.encode() * 20)


def spool(directory: Path, max_bytes: int = LARGE) -> Spool:
    """Open a spool; one that is made has `ID`."""
    return Spool(directory, ID, max_bytes)


def drained(opened: Spool) -> list[tuple[int, str]]:
    """Take everything out: numbers and names."""
    out = []
    while opened.waiting:
        for entry in opened.peek(1):
            assert entry.fallback.spool == ID
            out.append((entry.fallback.number, entry.fallback.channel))
        opened.done()
    return out


async def test_what_was_appended_is_there_after_a_kill(tmp_path: Path) -> None:
    """In order, with numbers without gaps; what was done goes out again, since nobody can know whether it arrived."""
    one = spool(tmp_path)
    for name in "abc":
        await one.append(made(name))
    one.peek(1)
    one.done()
    one.close()  # a killed process does no more than this, which the kernel does for it
    two = spool(tmp_path)
    assert drained(two) == [(0, "a"), (1, "b"), (2, "c")]
    two.close()


async def test_numbers_go_on_in_an_emptied_spool(tmp_path: Path) -> None:
    """Also over a restart; the file does not grow for ever."""
    one = spool(tmp_path)
    empty = one.size_bytes
    await one.append(made("a"))
    assert drained(one) == [(0, "a")]
    assert one.size_bytes == empty == (tmp_path / FILE).stat().st_size
    await one.append(made("b"))
    assert drained(one) == [(1, "b")]
    one.close()
    two = spool(tmp_path)
    await two.append(made("c"))
    assert drained(two) == [(2, "c")]
    two.close()


@pytest.mark.parametrize("left", [1, 7, 8, 9, 30, -1])
async def test_a_torn_last_entry_was_given_to_nobody(tmp_path: Path, left: int) -> None:
    """Cut off at any byte, it is dropped; what came before stays, and what comes next takes its number."""
    one = spool(tmp_path)
    await one.append(made("a"))
    whole = one.size_bytes
    await one.append(made("b"))
    one.close()
    file = tmp_path / FILE
    end = file.stat().st_size
    os.truncate(file, whole + left if left > 0 else end + left)
    two = spool(tmp_path)
    await two.append(made("c"))
    assert drained(two) == [(0, "a"), (1, "c")]
    two.close()


async def test_zeros_at_the_end_are_a_torn_entry(tmp_path: Path) -> None:
    """A file's length may be on disk before its bytes."""
    one = spool(tmp_path)
    await one.append(made("a"))
    whole = one.size_bytes
    one.close()
    with (tmp_path / FILE).open("ab") as file:
        file.write(bytes(500))
    two = spool(tmp_path)
    assert (tmp_path / FILE).stat().st_size == whole
    assert drained(two) == [(0, "a")]
    two.close()


async def test_damage_before_the_end_stops_the_service(tmp_path: Path) -> None:
    """That was no crash: answers that were given would be dropped unseen."""
    one = spool(tmp_path)
    await one.append(made("a"))
    whole = one.size_bytes
    await one.append(made("b"))
    one.close()
    data = bytearray((tmp_path / FILE).read_bytes())
    data[whole - 5] ^= 1
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(SpoolError, match="damaged"):
        spool(tmp_path)


async def test_a_full_disk_refuses_and_leaves_the_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of an entry that was written before the disk was full is cut off, and once there is room it goes on."""
    one = spool(tmp_path)
    await one.append(made("a"))
    size = one.size_bytes
    write = os.pwrite

    def full(file: int, data: bytes, offset: int) -> int:
        write(file, data[:10], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SpoolError, match="No space"):
        await one.append(made("b"))
    assert (tmp_path / FILE).stat().st_size == size
    monkeypatch.undo()
    await one.append(made("c"))
    assert drained(one) == [(0, "a"), (1, "c")]
    one.close()


async def test_nothing_is_safe_before_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that fails answers nobody, and the entry does not come back."""
    one = spool(tmp_path)
    sync, failing = os.fsync, [True]

    def failed(file: int) -> None:
        if failing:
            failing.pop()
            raise OSError(errno.EIO, "Input/output error")
        sync(file)

    monkeypatch.setattr(os, "fsync", failed)
    with pytest.raises(SpoolError, match="Input/output"):
        await one.append(made("a"))
    await one.append(made("b"))
    assert drained(one) == [(0, "b")]
    one.close()


async def test_what_cannot_be_repaired_takes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If not even the cut is safe, only a restart knows what is on disk."""
    one = spool(tmp_path)

    def failed(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failed)
        with pytest.raises(SpoolError):
            await one.append(made("a"))
    with pytest.raises(SpoolError, match="restart"):
        await one.append(made("b"))
    one.close()


async def test_it_has_a_largest_size(tmp_path: Path) -> None:
    """What is over it is refused as on a full disk."""
    one = spool(tmp_path, max_bytes=150)
    await one.append(made("a"))
    with pytest.raises(SpoolError, match="full"):
        await one.append(made("b"))
    assert drained(one) == [(0, "a")]
    await one.append(made("c"))
    one.close()


async def test_entries_that_come_together_are_synced_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they came; `peek` gives about as many as it is asked for, and stays where it is until `done`."""
    one = spool(tmp_path)
    syncs: list[int] = []
    sync = os.fsync

    def counted(file: int) -> None:
        syncs.append(file)
        sync(file)

    monkeypatch.setattr(os, "fsync", counted)
    names = [f"{number}" for number in range(50)]
    await asyncio.gather(*(one.append(made(name)) for name in names))
    assert len(syncs) < 10
    assert [entry.fallback.channel for entry in one.peek(50)] == names
    assert one.peek(1)[0].fallback.number == 0
    assert one.next_number == 50
    assert [name for _, name in drained(one)] == names
    one.close()


def test_two_processes_do_not_share_one(tmp_path: Path) -> None:
    """Their numbers would be the same."""
    one = spool(tmp_path)
    with pytest.raises(SpoolError, match="another gateway's"):
        spool(tmp_path)
    one.close()
    spool(tmp_path).close()


def test_another_file_is_not_taken_for_a_spool(tmp_path: Path) -> None:
    """And not written to."""
    (tmp_path / FILE).write_bytes(b"something else that is long enough to hold a header")
    with pytest.raises(SpoolError, match="no spool"):
        spool(tmp_path)

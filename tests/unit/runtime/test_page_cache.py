"""Files in memory are read at once; what is not there to be read is left to others."""

import os
from pathlib import Path

import pytest

from tallystick.runtime import page_cache
from tallystick.runtime.page_cache import read_cached


def test_a_file_just_written_is_read(tmp_path: Path) -> None:
    """Whatever is in the page cache comes back whole, or not at all where the file system cannot say; never in part."""
    for content in (b"", b"x", bytes(8192), bytes(range(256)) * 500):
        (tmp_path / "file").write_bytes(content)
        assert read_cached(tmp_path / "file", 200_000) in (content, None)


def test_too_large_a_file_is_left_to_others(tmp_path: Path) -> None:
    """The limit is the caller's to enforce in words."""
    (tmp_path / "file").write_bytes(b"12345")
    assert read_cached(tmp_path / "file", 4) is None


def test_no_file_is_no_file(tmp_path: Path) -> None:
    """What is missing is told from what would have to be waited for; a directory, or a pipe, is neither."""
    with pytest.raises(FileNotFoundError):
        read_cached(tmp_path / "none", 10)
    assert read_cached(tmp_path, 10**9) is None
    os.mkfifo(tmp_path / "pipe")
    assert read_cached(tmp_path / "pipe", 10) is None


def test_where_the_system_cannot_say_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems than Linux: the thread reads."""
    (tmp_path / "file").write_bytes(b"12345")
    monkeypatch.setattr(page_cache, "_NOWAIT", 0)
    assert read_cached(tmp_path / "file", 10) is None

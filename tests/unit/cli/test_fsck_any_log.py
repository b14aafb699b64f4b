"""`tallystick fsck` with a bare tlog-policy, over logs that another implementation wrote: the conformance suite's own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick.cli.main import main

from ...vectors.tlog.cases.log import LOG, WITNESSES, tree
from ...vectors.tlog.cases.tiles import files
from ...vectors.tlog.reference.note import checkpoint


def write(folder: Path, size: int, cosigned: int = 2) -> None:
    """Write the suite's log of this size, cosigned by so many of its witnesses, and a policy that asks for two of three."""
    for path, data in files(size):
        (folder / "log" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "log" / path).write_bytes(data)
    text = checkpoint(LOG.name, size, tree().root(size))
    lines = b"".join(key.line(text) for key in (LOG, *WITNESSES[:cosigned]))
    (folder / "log").mkdir(exist_ok=True)
    (folder / "log" / "checkpoint").write_bytes(text + b"\n" + lines)
    witnesses = "".join(f"witness w{number} {key.vkey}\n" for number, key in enumerate(WITNESSES[:3]))
    (folder / "policy").write_text(f"log {LOG.vkey}\n{witnesses}group g 2 w0 w1 w2\nquorum g\n")


def fsck(folder: Path, *more: str) -> int:
    """Run the command."""
    return main(["fsck", str(folder / "log"), "--policy", str(folder / "policy"), *more])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_536, 65_537])
def test_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int) -> None:
    """A sound log of any size passes, whatever its entries mean, and it is said that this was not looked at."""
    write(tmp_path, size)
    assert fsck(tmp_path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    (log,) = document["logs"]
    assert (log["origin"], log["size"], log["root"]) == (LOG.name, size, tree().root(size).hex())
    assert sorted(log["cosigned"]) == ["w0", "w1"]
    assert [left.partition(":")[0] for left in document["unchecked"]] == ["the entries", "anchors", "the clock"]


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/1"])
def test_one_bit(tmp_path: Path, path: str) -> None:
    """One bit in any file is found."""
    write(tmp_path, 257)
    file = tmp_path / "log" / path
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert fsck(tmp_path) == 1


def test_too_few_witnesses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The policy's quorum holds here too."""
    write(tmp_path, 2, cosigned=1)
    assert fsck(tmp_path) == 1
    assert "cosignatures" in capsys.readouterr().out


def test_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It goes on where it was, and a log that has become shorter since is refused."""
    for size, code in ((256, 0), (65_537, 0), (65_536, 1)):
        write(tmp_path, size)
        assert fsck(tmp_path, "--resume", str(tmp_path / "place")) == code
    assert "rolled back" in capsys.readouterr().out


def test_what_was_read_before_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A check that goes on from a saved place says which entries it has not read; one that read all says no such thing."""
    place = str(tmp_path / "place")
    write(tmp_path, 257)
    assert fsck(tmp_path, "--resume", place) == 0
    told = capsys.readouterr().out
    assert "✓ every entry hashes into every tile" in told
    assert "--resume" not in told
    write(tmp_path, 600)
    assert fsck(tmp_path, "--resume", place) == 0
    told = capsys.readouterr().out
    assert f"? not checked: the first 257 entries of {LOG.name}, " in told
    assert "✓ every entry that was read now hashes" in told
    (tmp_path / "log/tile/entries/000").unlink()
    assert fsck(tmp_path, "--resume", place, "--json") == 0
    assert json.loads(capsys.readouterr().out)["unchecked"][0].startswith("the first 600 entries")


def _a_file_for_its_folder(tile: Path) -> None:
    shutil.rmtree(tile.parent)
    tile.parent.write_bytes(b"x")


def _a_folder(tile: Path) -> None:
    tile.unlink()
    tile.mkdir()


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda tile: tile.write_bytes(tile.read_bytes()[:-1]),
        lambda tile: tile.write_bytes(tile.read_bytes() + b"x"),
        lambda tile: tile.write_bytes(b""),
        lambda tile: tile.unlink(),
        _a_file_for_its_folder,
        _a_folder,
    ],
)
@pytest.mark.parametrize("path", ["tile/0/002.p/88", "tile/1/000.p/2"])
def test_a_tile_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str, spoil: Callable[[Path], object], resume: bool
) -> None:
    """Cut, too long, gone, or no file: the log is not sound there, from a saved place as from the beginning."""
    write(tmp_path, 600)
    place = ["--resume", str(tmp_path / "place")] if resume else []
    assert fsck(tmp_path, *place) == 0
    spoil(tmp_path / "log" / path)
    assert fsck(tmp_path, *place) == 1
    told = capsys.readouterr().out
    assert "NOT SOUND" in told
    assert path.partition(".p")[0] in told


@pytest.mark.parametrize(("saved", "size"), [(1, 2), (255, 256), (256, 600), (1_000, 2_000), (1_000, 1_024), (65_536, 131_073)])
def test_resumed_without_the_tiles_of_the_saved_size(tmp_path: Path, saved: int, size: int) -> None:
    """A log need not serve partial tiles of a size that it has outgrown, nor of one that a check merely passed."""
    write(tmp_path, saved)
    assert fsck(tmp_path, "--resume", str(tmp_path / "place")) == 0
    shutil.rmtree(tmp_path / "log")
    write(tmp_path, size)
    assert fsck(tmp_path, "--resume", str(tmp_path / "place")) == 0


def test_policy_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no policy, and one that is not there, are told of."""
    write(tmp_path, 1)
    (tmp_path / "policy").write_text("quorum nobody\n")
    assert fsck(tmp_path) == 2
    (tmp_path / "policy").unlink()
    assert fsck(tmp_path) == 2
    assert "cannot read" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fsck", "monitor-log"])
@pytest.mark.parametrize(
    "address",
    [
        "http://h:abc/",
        "http://h:99999/",
        "http://h/\x01",
        "http://[::1/",
        "http://xn--a/",
        "http://\u2024/",
        "s3://h/x",
        "x://",
    ],
)
def test_an_address_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, address: str) -> None:
    """It is told in a line, and is no verdict."""
    write(tmp_path, 1)
    more = ["--state", str(tmp_path / "state"), "--once"] if command == "monitor-log" else []
    assert main([command, address, "--policy", str(tmp_path / "policy"), *more]) == 2
    (line,) = "".join(capsys.readouterr()).splitlines()
    assert address.rstrip("/")[:8] in line
    assert line.isprintable()


@pytest.mark.parametrize("command", ["fsck", "monitor-log", "repair"])
def test_links_that_lead_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A directory that is a loop of links is told in a line, and is no verdict."""
    write(tmp_path, 1)
    (tmp_path / "loop").symlink_to("loop")
    more = ["--state", str(tmp_path / "state"), "--once"] if command == "monitor-log" else []
    assert main([command, str(tmp_path / "loop"), "--policy", str(tmp_path / "policy"), *more]) == 2
    (line,) = "".join(capsys.readouterr()).splitlines()
    assert "/loop" in line

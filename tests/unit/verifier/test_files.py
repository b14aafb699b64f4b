"""What the verifier says of files that are not what they were: packages with less in them, damaged ones, empty ones."""

import json
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from tallystick.trust.packages.archive import write_archive
from tallystick.verifier.main import main

from ..cli.conftest import folder as folder
from ..trust.test_packages import bank, contents, model_file, policy_file, summed

WORLD = bank()
PACKAGE = write_archive(contents(WORLD))
NAMED = [model_file(WORLD), model_file(WORLD, "md"), policy_file(WORLD), "lists", "reports"]


def verify(folder: Path, name: str, data: bytes, *options: str) -> int:
    """Verify a file of this name and content."""
    (folder / name).write_bytes(data)
    return main([str(folder / name), "--policy", str(folder / "policy"), *options])


def test_a_package_that_lacks_what_it_names_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sums and checksums made anew without models, cards, policies, lists and reports: sound, and each of them is named."""
    files = contents(WORLD)
    absent = sorted(name for name in files if name.startswith(tuple(NAMED)))
    assert len(absent) == len(NAMED) + 1  # two reports
    resealed = write_archive(summed({name: data for name, data in files.items() if name not in absent}))
    assert verify(folder, "case.zip", resealed) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if line.startswith("absent: ")] == [
        f"absent: {name}, which the package's own records name" for name in absent
    ]
    assert verify(folder, "case.zip", resealed, "--json") == 0
    assert json.loads(capsys.readouterr().out)["absent"] == absent


def test_a_whole_package_lacks_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says nothing of the kind."""
    assert verify(folder, "case.zip", PACKAGE) == 0
    assert "absent" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["case.zip", "case"])
@pytest.mark.parametrize("size", [1, 4, 20])
def test_a_package_with_a_damaged_head_is_called_one(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, size: int
) -> None:
    """Whatever it is called, the marks further on tell what it was."""
    assert verify(folder, name, b"\xff" * size + PACKAGE[size:]) == 1
    assert capsys.readouterr().out.startswith("NOT SOUND: the audit package is damaged, or is none: byte 0 begins neither")


def test_a_package_s_name_tells_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of a zip is left, as when a page of an error was saved under its name; a bundle is one under any name."""
    assert verify(folder, "case.zip", b"<!doctype html>") == 1
    assert "the audit package is damaged, or is none" in capsys.readouterr().out
    assert verify(folder, "bundle.zip", WORLD.bundle()) == 0


def test_an_empty_file_is_no_verdict(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2: there is nothing that could be sound or not."""
    for name in ("case.zip", "bundle.json"):
        assert verify(folder, name, b"") == 2
        assert f"{name} is empty: there is nothing to verify" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO()))
    assert main(["-", "--policy", str(folder / "policy")]) == 2
    assert "standard input is empty" in capsys.readouterr().err

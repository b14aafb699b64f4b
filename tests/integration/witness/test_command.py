"""The command line: keys, and what only use shows to be wrong, each named, with exit code 2."""

import os
import socket
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tallystick.embedded.service_process import console_script
from tallystick.merkle.keys import VerifierKey

from ...unit.witness.logs import Log
from .processes import Installation

COMMAND = console_script("tallystick-witness")


def test_make_key_needs_no_settings(tmp_path: Path) -> None:
    """It prints the verifier key of the file that it made, and nothing else; it does not make it twice."""
    command = [COMMAND, "--make-key", "witness.example/w1", str(tmp_path / "key")]
    made = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
    private = load_pem_private_key((tmp_path / "key").read_bytes(), None)
    assert VerifierKey.parse(made.stdout.strip()).public_key == private.public_key().public_bytes_raw()  # type: ignore[union-attr]  # an Ed25519 key
    assert made.stderr == ""
    again = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert "a key is never overwritten" in again.stderr


def test_vkey_prints_what_make_key_printed(on_sqlite: Installation) -> None:
    """Whoever has lost it can have it again."""
    assert on_sqlite.run("--vkey").stdout == f"{on_sqlite.verifier}\n"


def test_openssl_makes_keys_too(on_sqlite: Installation) -> None:
    """The key's file is what everybody's tools write and read."""
    path = on_sqlite.directory / "other"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
    path.chmod(0o600)
    assert on_sqlite.run("--vkey", KEY_FILE=str(path)).returncode == 0


def test_what_use_shows_is_named(on_sqlite: Installation, tmp_path: Path) -> None:
    """A key that others may read, files that are none, bad lines, an address that is taken: one line for each problem."""
    bad_logs = tmp_path / "bad"
    bad_logs.write_text(f"log x\nlog {Log().key}\nwitness y\n")
    open_key = tmp_path / "open"
    open_key.write_bytes(on_sqlite.key_file.read_bytes())
    open_key.chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for name, value, lines in (
            ("KEY_FILE", str(open_key), 1),
            ("KEY_FILE", str(on_sqlite.logs_file), 1),
            ("LOGS_FILE", "/nowhere", 1),
            ("LOGS_FILE", str(bad_logs), 2),
            ("HTTP_PORT", port, 1),
            ("HTTP_HOST", "no such host", 1),
            ("HTTP_HOST", "192.0.2.1", 1),
        ):
            done = on_sqlite.run(**({"HTTP_PORT": "0"} | {name: value}))
            said = [line for line in done.stderr.splitlines() if line.startswith("TALLYSTICK_")]
            assert (done.returncode, len(said)) == (2, lines), done.stderr
            assert all(line.startswith(f"TALLYSTICK_{name}: ") for line in said)


def test_an_init_that_cannot_be_is_said(on_sqlite: Installation) -> None:
    """A database that does not answer, a folder that is not there: no state, code 1, and why."""
    for state in ("postgresql://nobody@127.0.0.1:1/x", "sqlite:///nowhere/state"):
        done = on_sqlite.run("--init", STATE=state)
        assert done.returncode == 1
        assert done.stderr.startswith("tallystick-witness: ")
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--nothing"], ["--init", "--vkey"], ["--make-key", "name"]])
def test_wrong_arguments(on_sqlite: Installation, arguments: list[str]) -> None:
    """Code 2, as with settings."""
    assert on_sqlite.run(*arguments).returncode == 2

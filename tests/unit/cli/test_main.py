"""The command table."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from tallystick.cli.main import COMMANDS, main

CHECK_IMPORTS = """
import sys
sockets = []
sys.addaudithook(lambda event, _: sockets.append(event) if event.startswith("socket.") else None)
from tallystick.cli.main import main
code = main(sys.argv[1:])
allowed = {"trust", "merkle", "contracts", "verifier", "cli"}
own = {name.split(".")[1] for name in sys.modules if name.startswith("tallystick.")}
assert own <= allowed, own
# Not socket: email.utils imports it, and cryptography that for the names in certificates. None may be made, though.
assert sockets == [], sockets
forbidden = {"asyncio", "numpy", "xgboost", "httpx", "aiokafka", "asyncpg", "hvac", "pyarrow"} & set(sys.modules)
sys.exit(f"imported {forbidden}" if forbidden else code)
"""


def test_every_command_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` lists all commands with a line each, and imports none of them."""
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    for name, (_, line) in COMMANDS.items():
        assert name in out
        assert line in out
    assert "Exit codes: 0" in out


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` says which Tallystick this is."""
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"tallystick {version('tallystick-cli')}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["verif"], "invalid choice: 'verif'"),
        (["verify"], "required: FILE, --policy"),
        (["verify", "b", "--pol", "p"], "required: --policy"),
        (["replay", "b", "--policy", "p"], "required: --model"),
    ],
)
def test_usage_errors_exit_with_2(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not understood is said on standard error, and never guessed."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert words in capsys.readouterr().err


def test_verify_imports_only_what_it_verifies_with() -> None:
    """No network library, no numpy, no other part: an auditor can read all that runs."""
    code = ["-c", CHECK_IMPORTS, "verify", "nowhere.json", "--policy", "nowhere"]
    done = subprocess.run([sys.executable, *code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "cannot read nowhere" in done.stderr

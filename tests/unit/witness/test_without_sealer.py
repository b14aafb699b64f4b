"""A witness without what a sealer needs: it starts all the same, and the role says what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

BARE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"aiokafka", "hvac", "httpx", "google"} or name in {
            "tallystick.runtime", "tallystick.trust", "tallystick.contracts", "tallystick.witness.sealer.main"
        }:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from tallystick.witness.main import main
import tallystick.witness.server, tallystick.witness.http
main()
"""


@pytest.mark.parametrize(
    ("role", "code", "said"),
    [("witness", 0, "witness.example/w1+"), ("sealer", 1, "a sealer needs more than a witness")],
)
def test_a_witness_needs_nothing_of_a_sealers(role: str, code: int, said: str, tmp_path: Path) -> None:
    """No Kafka, no Vault, none of the bank's parts: a key is made, and everything that a witness serves with is imported."""
    arguments = ["--role", role, "--make-key", "witness.example/w1", str(tmp_path / "key.pem")]
    done = subprocess.run([sys.executable, "-c", BARE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr

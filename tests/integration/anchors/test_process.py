"""`tallystick-anchor` as a process: both kinds at once, and neither in the other's way."""

import os
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

from tallystick.embedded import ServiceProcess, free_port
from tallystick.embedded.service_process import console_script
from tallystick.embedded.tsa import Tsa
from tallystick.runtime.anchor_files import AnchorFiles

from .world import DECISIONS, Bank, Chain, authority_toml, contract_toml, log_policy, trust_toml


def health(service: ServiceProcess) -> dict[str, Any]:
    """Return what the process says of itself."""
    answer: dict[str, Any] = httpx.get(service.health_url, timeout=30).json()
    return answer


def scrape(service: ServiceProcess) -> str:
    """Return the process's metrics."""
    return httpx.get(f"{service.health_url.removesuffix('/health')}/metrics", timeout=30).text


async def wait_for(files: AnchorFiles, size: int, by: set[str], timeout_s: float = 60) -> None:
    """Wait until all of these have anchored a head."""
    deadline = time.monotonic() + timeout_s
    while set(await files.receipts(size)) != by:
        assert time.monotonic() < deadline, await files.sizes()
        time.sleep(0.1)  # noqa: ASYNC251  nothing else runs in this loop


async def test_a_dead_authority_delays_its_own_anchors_only(bank: Bank, chain: Chain, tsa: Tsa, tmp_path: Path) -> None:
    """The contract gets its heads while the authority is away; its backlog and age show; back again, it covers all."""
    pin = await chain.contract()
    policy = tmp_path / "policy"
    policy.mkdir()
    (policy / "log.policy").write_bytes(log_policy())
    (policy / "trust.toml").write_bytes(trust_toml(authority_toml("tsa1", tsa.root_pem) + contract_toml(pin)))
    key_file = tmp_path / "account"
    key_file.touch(0o600)
    key_file.write_text(f"0x{bytes(chain.account.key).hex()}")
    environment = {
        "TALLYSTICK_LOG_URL": bank.directory.as_uri(),
        "TALLYSTICK_TRUST_POLICY": str(policy),
        "TALLYSTICK_TIMESTAMP_URLS": f'{{"tsa1": "{tsa.url}"}}',
        "TALLYSTICK_CONTRACT_URLS": f'{{"chain1": "{chain.evm.url}"}}',
        "TALLYSTICK_ACCOUNT_KEY_FILE": str(key_file),
        "TALLYSTICK_INTERVAL_S": "0.5",
        "TALLYSTICK_CONFIRMATIONS": "1",
        "TALLYSTICK_HTTP_PORT": str(free_port()),
    }
    service = ServiceProcess("anchor", ["tallystick-anchor"], environment, tmp_path / "anchor.log")
    tsa.stop()
    service.start()
    try:
        service.wait_ready(60, f"{service.health_url}/live")
        await wait_for(bank.anchors(), 3, {"chain1"})
        said = health(service)
        assert said["components"]["tsa1"].startswith("not anchoring since")
        assert said["backlog"]["tsa1"]["decisions"]["entries"] == 3
        metrics = scrape(service)
        assert 'tallystick_anchor_backlog_entries{by="tsa1",log="decisions"} 3.0' in metrics
        assert 'tallystick_anchor_age_seconds{by="tsa1",log="decisions"} 0.0' not in metrics
        bank.grow(DECISIONS, 4)
        await wait_for(bank.anchors(), 7, {"chain1"})
        tsa.start()
        await wait_for(bank.anchors(), 7, {"chain1", "tsa1"})
        service.wait_ready(30)
        assert health(service)["backlog"]["tsa1"]["decisions"] == {"entries": 0, "age_s": 0.0}
        assert service.stop() == 0
        assert bytes(chain.account.key).hex() not in (tmp_path / "anchor.log").read_text()
    finally:
        service.kill()
        if not tsa.child.is_alive:
            tsa.start()


def test_an_account_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """The key's file is 0600, an existing one is not overwritten, and only the address is printed."""
    file = tmp_path / "account"
    argv = [console_script("tallystick-anchor"), "--make-account", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600  # noqa: PTH116  nothing else is asked of it
    assert done.stdout.startswith("0x")
    assert file.read_text().strip() not in done.stdout
    again = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert again.returncode == 1

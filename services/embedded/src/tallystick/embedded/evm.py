"""An EVM chain, embedded: `evm_node` as a process. Everything is in its memory and gone when it stops."""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tallystick.embedded.ports import free_port
from tallystick.embedded.process import Child
from tallystick.embedded.server import Server


class Evm(Server):
    """One node; `block_time_s` seconds between blocks, 0 for none but those with transactions."""

    START_TIMEOUT_S = 60.0  # it imports a good deal
    STOP_TIMEOUT_S = 2.0

    def __init__(self, directory: Path, block_time_s: float = 0.0, port: int | None = None) -> None:
        super().__init__(Child("EVM chain (py-evm)", directory / "evm.log"), port or free_port())
        self._block_time_s = block_time_s

    @property
    def url(self) -> str:
        """Where it answers JSON-RPC."""
        return f"http://{self.address}"

    def spawn(self) -> None:
        """Start the node without waiting for it."""
        module = "tallystick.embedded.evm_node"
        self.child.spawn([sys.executable, "-m", module, str(self.port), str(self._block_time_s)])

    def call(self, method: str, *parameters: Any) -> Any:
        """Return the result of a JSON-RPC method. Raises OSError if it does not answer, ValueError if it refuses."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})  # noqa: S310  the address is ours
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            answer = json.load(response)
        if "error" in answer:
            raise ValueError(answer["error"]["message"])
        return answer["result"]

    def answers(self) -> bool:
        """Ask for the chain's number."""
        try:
            return bool(self.call("eth_chainId"))
        except (urllib.error.URLError, OSError):
            return False

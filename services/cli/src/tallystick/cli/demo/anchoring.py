"""Who anchors the demo's logs: a chain in memory with the contract on it, and an authority where there is openssl."""

import json
import os
import subprocess
from pathlib import Path

from tallystick.cli.provision import Authority, ContractPin
from tallystick.embedded import Evm, StartError, Tsa, tsa_is_available
from tallystick.embedded.service_process import console_script

INTERVAL_S = 2
_DEPLOY_TIMEOUT_S = 60


class LocalAnchors:
    """A chain and an authority below `directory`, and what the process that asks them must know."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._evm = Evm(directory)
        self._tsa = Tsa(directory) if tsa_is_available() else None
        self._account = directory / "account"
        self.authorities: tuple[Authority, ...] = ()
        self.contracts: tuple[ContractPin, ...] = ()

    @property
    def names(self) -> set[str]:
        """Return by what names they are pinned."""
        return {pin.name for pin in self.authorities} | {pin.name for pin in self.contracts}

    def start(self) -> None:
        """Start both, and put the contract on the chain. Raises StartError."""
        self._evm.spawn()
        if self._tsa is not None:
            self._tsa.start()
            self.authorities = (Authority("tsa1", (self._tsa.root_pem,)),)
        self._evm.wait_ready()
        with os.fdopen(os.open(self._account, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(str(self._evm.call("dev_account")))
        self.contracts = (ContractPin("chain1", int(self._evm.call("eth_chainId"), 16), self._deploy()),)

    def stop(self) -> None:
        """Stop both."""
        self._evm.stop()
        if self._tsa is not None:
            self._tsa.stop()

    def settings(self) -> dict[str, str]:
        """Return what `tallystick-anchor` must know of them."""
        return {
            "TIMESTAMP_URLS": json.dumps({} if self._tsa is None else {"tsa1": self._tsa.url}),
            "CONTRACT_URLS": json.dumps({"chain1": self._evm.url}),
            "ACCOUNT_KEY_FILE": str(self._account),
            "INTERVAL_S": str(INTERVAL_S),
            "CONFIRMATIONS": "1",
        }

    def _deploy(self) -> str:
        argv = [console_script("tallystick-anchor"), "--deploy", self._evm.url, str(self._account)]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=_DEPLOY_TIMEOUT_S)  # noqa: S603  our own program
        except subprocess.SubprocessError as error:
            raise StartError(f"the contract was not deployed: {getattr(error, 'stderr', '') or error}") from error
        return done.stdout.strip()

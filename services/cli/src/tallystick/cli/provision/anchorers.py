"""Who anchors the logs outside, as the command line names them and the trust policy pins them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tallystick.cli.provision.errors import ProvisionError


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamp authority's name and its root certificates, each in PEM."""

    name: str
    roots: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NAME:ROOTS_FILE`, the file being certificates in PEM. Raises ProvisionError."""
        name, _, file = text.partition(":")
        if not name or not file:
            raise ProvisionError(f"{text!r} is not NAME:ROOTS_FILE")
        try:
            pem = Path(file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ProvisionError(f"cannot read {file}: {error}") from error
        end = "-----END CERTIFICATE-----"
        return cls(name, tuple(f"{part.strip()}\n{end}\n" for part in pem.split(end)[:-1]))


@dataclass(frozen=True, slots=True)
class ContractPin:
    """A contract's name, and where it is: the chain's number and the address, 0x and 40 hex digits."""

    name: str
    chain_id: int
    address: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NAME:CHAIN_ID:ADDRESS`. Raises ProvisionError."""
        parts = text.split(":")
        if len(parts) != 3 or not parts[1].isdigit():
            raise ProvisionError(f"{text!r} is not NAME:CHAIN_ID:ADDRESS")
        return cls(parts[0], int(parts[1]), parts[2])


def pins(authorities: Sequence[Authority], contracts: Sequence[ContractPin]) -> list[str]:
    """Return the lines of `trust.toml` that pin them."""
    lines = []
    for authority in authorities:
        roots = ", ".join(json.dumps(root) for root in authority.roots)
        lines += ["", "[[timestamp_authorities]]", f"name = {json.dumps(authority.name)}", f"roots = [{roots}]"]
    for contract in contracts:
        lines += ["", "[[contracts]]", f"name = {json.dumps(contract.name)}", f"chain_id = {contract.chain_id}"]
        lines += [f"address = {json.dumps(contract.address)}"]
    return lines

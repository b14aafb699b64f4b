"""What a trust policy pins of those who anchor; in `trust.toml`, both parts optional.

    [[timestamp_authorities]]
    name = "tsa1"
    roots = ["-----BEGIN CERTIFICATE-----…"]     # any one of them
    [[contracts]]
    name = "chain1"
    chain_id = 1
    address = "0x…"                              # 20 bytes in hex

A name is also part of a file's name: 1 to 32 of a-z, 0-9 and hyphens, each once among both parts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.strict_json import fields

ADDRESS_SIZE = 20
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_MAX_CHAIN_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """An RFC 3161 authority: the certificates that its own must lead to, any one of them."""

    name: str
    roots: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that keeps heads: on which chain (EIP-155), and its address there, 20 bytes."""

    name: str
    chain_id: int
    address: bytes

    @property
    def hex_address(self) -> str:
        """The address as people write it."""
        return f"0x{self.address.hex()}"


Anchorer = TimestampAuthority | Contract


def check_name(name: str) -> str:
    """Return an authority's or contract's name. Raises AnchorError if it may not be called that."""
    if _NAME.fullmatch(name) is None:
        raise AnchorError("the name must be 1 to 32 of a-z, 0-9 and hyphens, not beginning with a hyphen")
    return name


def parse_pins(authorities: list[Any], contracts: list[Any]) -> Mapping[str, Anchorer]:
    """Return what the two arrays of trust.toml pin, by name.

    Raises:
        TrustError: anything in them is not understood.
    """
    pins: dict[str, Anchorer] = {}
    for place, value in enumerate(authorities, start=1):
        _add(pins, _authority(value, f"timestamp authority {place}"))
    for place, value in enumerate(contracts, start=1):
        _add(pins, _contract(value, f"contract {place}"))
    return pins


def _add(pins: dict[str, Anchorer], pin: Anchorer) -> None:
    if pins.setdefault(pin.name, pin) is not pin:
        raise AnchorError(f"the name {pin.name!r} is there twice among timestamp_authorities and contracts")


def _authority(value: Any, where: str) -> TimestampAuthority:
    found = fields(value, where, {"name": str, "roots": list})
    if not found["roots"]:
        raise AnchorError(f"{where}: roots must hold at least one certificate")
    return TimestampAuthority(_named(found["name"], where), tuple(_certificate(root, where) for root in found["roots"]))


def _contract(value: Any, where: str) -> Contract:
    found = fields(value, where, {"name": str, "chain_id": int, "address": str})
    if not 1 <= found["chain_id"] <= _MAX_CHAIN_ID:
        raise AnchorError(f"{where}: chain_id is {found['chain_id']}; it must be 1 or more")
    if re.fullmatch(rf"0x[0-9a-fA-F]{{{2 * ADDRESS_SIZE}}}", found["address"]) is None:
        raise AnchorError(f"{where}: address must be 0x and {2 * ADDRESS_SIZE} hex digits")
    return Contract(_named(found["name"], where), found["chain_id"], bytes.fromhex(found["address"][2:]))


def _named(name: str, where: str) -> str:
    try:
        return check_name(name)
    except AnchorError as error:
        raise AnchorError(f"{where}: {error}") from None


def _certificate(value: Any, where: str) -> x509.Certificate:
    try:
        (certificate,) = x509.load_pem_x509_certificates(value.encode())
        certificate.public_key()
    except (ValueError, AttributeError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise AnchorError(f"{where}: each of roots must be one certificate in PEM") from None
    return certificate

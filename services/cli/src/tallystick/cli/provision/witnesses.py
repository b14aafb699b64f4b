"""Who is asked to cosign what the logs publish."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tallystick.cli.provision.errors import ProvisionError
from tallystick.merkle.keys import COSIGNATURE_V1, VerifierKey
from tallystick.runtime.values import http_url


@dataclass(frozen=True, slots=True)
class Witness:
    """Who is asked to cosign: the verifier key that its operator gives out, and where it answers."""

    key: VerifierKey
    url: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `VKEY URL`. Raises ProvisionError."""
        vkey, _, url = text.partition(" ")
        try:
            key, address = VerifierKey.parse(vkey), http_url(url.strip())
        except ValueError as error:
            raise ProvisionError(f"{text!r} is not 'VKEY URL', a witness's verifier key and its address: {error}") from error
        if key.kind != COSIGNATURE_V1:
            raise ProvisionError(f"{vkey} is not a witness's key: those have the kind 4 (cosignature/v1)")
        return cls(key, address)


@dataclass(frozen=True, slots=True)
class Witnesses:
    """All who are asked to cosign, and how many of them must; nobody, in a bank that has no witnesses yet."""

    members: tuple[Witness, ...] = ()
    quorum: int = 0

    @classmethod
    def of(cls, members: Sequence[Witness], quorum: int | None = None) -> Self:
        """Take a majority for the quorum if none is given. Raises ProvisionError if it cannot be had."""
        wanted = len(members) // 2 + 1 if quorum is None else quorum
        if members and not 1 <= wanted <= len(members):
            raise ProvisionError(f"a quorum of {wanted} cannot be had of {len(members)} witnesses")
        if not members and quorum is not None:
            raise ProvisionError("a quorum needs witnesses: give --witness")
        return cls(tuple(members), wanted if members else 0)

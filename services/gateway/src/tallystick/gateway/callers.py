"""Who may call, and on which channel: by bearer token, or by the certificate that the connection was made with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

MIN_TOKEN = 20
_LINE = re.compile(r"([a-z0-9][a-z0-9_.-]{0,63})[ \t]+([!-~]+)")


class CallersError(ValueError):
    """The file of callers is not one; the message says where, and never repeats a token."""


@dataclass(frozen=True, slots=True)
class Callers:
    """Channels by the SHA-256 of their callers' tokens, so that how long a look-up takes says nothing of any token."""

    by_digest: Mapping[bytes, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read lines of `channel token`; empty ones and those that begin with # are passed over.

        Raises:
            CallersError: a line is something else, a token is short or there twice, or there is none.
        """
        found: dict[bytes, str] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = _LINE.fullmatch(line.strip())
            if parts is None:
                raise CallersError(f"line {number} is not `channel token`, the channel up to 64 of a-z, 0-9, '-', '_' and '.'")
            if len(parts[2]) < MIN_TOKEN:
                raise CallersError(f"the token in line {number} has fewer than {MIN_TOKEN} characters")
            digest = _digest(parts[2])
            if digest in found:
                raise CallersError(f"the token in line {number} is there twice")
            found[digest] = parts[1]
        if not found:
            raise CallersError("there is no caller in it")
        return cls(found)

    @property
    def channels(self) -> frozenset[str]:
        """The channels' names."""
        return frozenset(self.by_digest.values())

    def channel(self, authorization: str | None, certificate: str | None) -> str | None:
        """Return the caller's channel, None for somebody unknown.

        Args:
            authorization: the header of this name; if there is one, its token must be right.
            certificate: the common name of the certificate that TLS has verified, None without one.
        """
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            return self.by_digest.get(_digest(token.strip())) if scheme.lower() == "bearer" else None
        return certificate


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="surrogateescape")).digest()

"""The keys of the OIDC issuer whose tokens count here: read by HTTP, kept, and read again when it signs with another one."""

import asyncio
import json
import math
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from tallystick.audit.errors import UnavailableError
from tallystick.audit.tokens import TokenError, parse_keys

COMPONENT = "issuer"
DISCOVERY = "/.well-known/openid-configuration"
TIMEOUT_S = 5.0
MAX_BYTES = 262_144
FLOOR_S = 10.0
"""The least time between two readings: whoever makes up key ids cannot have the issuer asked more often."""
REFRESH_S = 300.0
"""A key that the issuer took back counts no longer than this, while the issuer answers."""
STALE_S = 86_400.0
"""And this long while it does not."""


class Issuer:
    """One issuer; for one event loop.

    Args:
        url: its name, as tokens have it in `iss`, and where its discovery document lies (OpenID Connect Discovery 1.0 §4).
        jwks_url: where its keys are; None: where the discovery document says.
        ca_file: the authorities that vouch for its servers; None: the system's.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        url: str,
        jwks_url: str | None = None,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._jwks_url, self._clock = url, jwks_url, clock
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._read_at = self._tried_at = -math.inf
        self._failure = "its keys have not been read yet"
        self._reading = asyncio.Lock()

    async def key(self, key_id: str) -> Mapping[str, Any]:
        """Return the JWK of this id.

        Raises:
            TokenError: the issuer has no such key.
            UnavailableError: that cannot be told, for the issuer does not answer.
        """
        if key_id not in self._keys or self._age_s() > STALE_S:
            await self._refresh(self._clock() - FLOOR_S)
        if self._age_s() > STALE_S or (key_id not in self._keys and self._failure):
            raise UnavailableError(COMPONENT, self._failure or "its keys were read too long ago")
        if key_id not in self._keys:
            raise TokenError("The token is signed with a key that its issuer does not have.")
        return self._keys[key_id]

    async def probe(self) -> None:
        """Read the keys again if it is time. Raises UnavailableError: the issuer did not answer the last time."""
        await self._refresh(self._clock() - (FLOOR_S if self._failure else REFRESH_S))
        if self._failure:
            raise UnavailableError(COMPONENT, self._failure)

    def _age_s(self) -> float:
        return self._clock() - self._read_at

    async def _refresh(self, unless_since: float) -> None:
        """Read the keys, unless that was tried after `unless_since`; of several who ask at once, one reads."""
        async with self._reading:
            if self._tried_at > unless_since:
                return
            self._tried_at = self._clock()
            try:
                self._keys = parse_keys(await self._fetch_keys())
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
                self._failure = f"{self._jwks_url or self._url}: {error or type(error).__name__}"
            else:
                self._read_at, self._failure = self._clock(), ""

    async def _fetch_keys(self) -> bytes:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, verify=self._tls, follow_redirects=False) as http:
            return await _get(http, self._jwks_url or _keys_url(self._url, await _get(http, self._url.rstrip("/") + DISCOVERY)))


def _keys_url(issuer: str, document: bytes) -> str:
    """Return where a discovery document says that the keys are; it must be the issuer's own."""
    try:
        found = json.loads(document)
        says, url = found["issuer"], found["jwks_uri"]
        scheme = urlsplit(url).scheme
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("its discovery document does not name issuer and jwks_uri") from error
    if says != issuer:
        raise ValueError("its discovery document is another issuer's")
    if scheme not in {"https", urlsplit(issuer).scheme}:
        raise ValueError("its discovery document names keys that are not fetched over https")
    return str(url)


async def _get(http: httpx.AsyncClient, url: str) -> bytes:
    async with http.stream("GET", url) as response:
        if response.status_code != httpx.codes.OK:
            raise ValueError(f"{url} answers {response.status_code}")
        body = b""
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > MAX_BYTES:
                raise ValueError(f"{url} gives more than {MAX_BYTES} bytes")
        return body

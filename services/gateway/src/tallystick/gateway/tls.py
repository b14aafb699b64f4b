"""TLS towards callers, who may show a certificate of their own.

A certificate is asked for and not demanded, since health and metrics are asked for by machines that have none; who shows
neither a good certificate nor a token is turned away by the API.
"""

import asyncio
import ssl
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tallystick.gateway.settings import GatewaySettings

CHANNEL = "channel"
"""Where the API finds the common name of a verified certificate: `scope["state"]`."""


class _Protocol(HttpToolsProtocol):
    """Says in each request's scope whose certificate its connection was made with."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's is narrowed likewise
        super().connection_made(transport)
        if name := common_name(transport.get_extra_info("peercert")):
            self.app_state = {**self.app_state, CHANNEL: name}


def tls(settings: GatewaySettings) -> dict[str, Any]:
    """Return uvicorn's options for TLS; none without a certificate of ours."""
    if settings.http_cert_file is None:
        return {}
    options: dict[str, Any] = {"ssl_certfile": settings.http_cert_file, "ssl_keyfile": settings.http_key_file}
    if settings.http_client_ca_file is not None:
        options |= {"ssl_ca_certs": str(settings.http_client_ca_file), "ssl_cert_reqs": ssl.CERT_OPTIONAL, "http": _Protocol}
    return options


def common_name(certificate: Any) -> str | None:
    """Return the common name in what `SSLSocket.getpeercert` gives, None if there is none, or several."""
    names = [value for part in (certificate or {}).get("subject", ()) for name, value in part if name == "commonName"]
    return names[0] if len(names) == 1 else None

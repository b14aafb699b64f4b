"""Asking a witness over HTTP, with bounds on all that a stranger's server can do: time, size, redirects."""

import asyncio

import httpx

from tallystick.notary.witness_messages import MAX_ANSWER_BYTES, Answer, WitnessError

CONNECTIONS = httpx.Limits(keepalive_expiry=60)


def client() -> httpx.AsyncClient:
    """Return a client for all witnesses; close it."""
    # No timeouts of its own: they are for each read, and a server that sends a byte now and then would pass them for ever.
    # Nothing compressed either: what is small to receive must be small to hold.
    headers = {"accept-encoding": "identity"}
    return httpx.AsyncClient(timeout=None, follow_redirects=False, limits=CONNECTIONS, headers=headers)  # noqa: S113  see above


class Endpoint:
    """A witness's address."""

    def __init__(self, http: httpx.AsyncClient, url: str, deadline_s: float) -> None:
        self._http, self._url, self._deadline_s = http, url.rstrip("/"), deadline_s

    async def post(self, path: str, body: bytes) -> Answer:
        """Send `body`. Raises WitnessError if there is no answer in time, or more of one than any witness needs."""
        return await self._request("POST", path, body)

    async def get(self, path: str) -> Answer:
        """Fetch what is at `path`. Raises as `post`."""
        return await self._request("GET", path)

    async def _request(self, method: str, path: str, body: bytes | None = None) -> Answer:
        try:
            async with asyncio.timeout(self._deadline_s), self._http.stream(method, f"{self._url}/{path}", content=body) as got:
                if "content-encoding" in got.headers:
                    raise WitnessError("its answer is compressed, which it was not asked for")
                received = bytearray()
                async for chunk in got.aiter_bytes():
                    received += chunk
                    if len(received) > MAX_ANSWER_BYTES:
                        raise WitnessError(f"its answer has more than {MAX_ANSWER_BYTES:,} bytes")
                return Answer(got.status_code, got.headers.get("content-type", "").partition(";")[0].strip(), bytes(received))
        except TimeoutError as error:
            raise WitnessError(f"no answer within {self._deadline_s:g} s") from error
        except httpx.HTTPError as error:
            raise WitnessError(f"not reached: {error or type(error).__name__}") from error
        except httpx.InvalidURL as error:
            raise WitnessError(f"its address is none: {error}") from error

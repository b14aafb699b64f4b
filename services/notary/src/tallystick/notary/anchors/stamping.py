"""Time stamps (RFC 3161): one request for the heads of all logs, the answer verified before it is kept."""

import httpx
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from tallystick.notary.anchors.errors import AnchoringError
from tallystick.notary.anchors.heads import Heads
from tallystick.notary.anchors.store import ReceiptStore
from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.anchors.pins import TimestampAuthority
from tallystick.trust.anchors.receipts import StampReceipt
from tallystick.trust.anchors.rfc3161 import MAX_RESPONSE_BYTES, verify_stamp
from tallystick.trust.anchors.text import Head, encode_text

TIMEOUT_S = 20.0
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"


class Stamper:
    """Has heads stamped by one authority. `anchor` may be called again after any error."""

    def __init__(self, authority: TimestampAuthority, url: str, store: ReceiptStore) -> None:
        self.name = authority.name
        self._authority, self._url, self._store = authority, url, store
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def anchored(self, log: str) -> int:
        """Return the size of a log's largest head that is anchored, 0 if none is."""
        newest = await self._store.newest(log, self.name)
        return 0 if newest is None else newest[0]

    async def anchor(self, heads: Heads) -> bool:
        """Have the heads stamped and keep the receipt beside each log that grew; True once all is kept.

        Raises:
            AnchoringError: the authority does not answer, or not as it must.
        """
        grown = [head for head in heads.values() if head.size > await self.anchored(head.log)]
        if not grown:
            return True
        receipt = await self._stamp(encode_text(Head.of(head.note) for head in heads.values()))
        for head in grown:
            await self._store.keep(head, receipt)
        return True

    async def _stamp(self, text: bytes) -> StampReceipt:
        request = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True).build().as_bytes()
        response = await self._ask(request)
        try:
            verify_stamp(request, response, text, self._authority.roots)
        except AnchorError as error:
            raise AnchoringError(f"{self.name}: its answer is refused: {error}") from error
        return StampReceipt(self.name, text, request, response)

    async def _ask(self, request: bytes) -> bytes:
        data = bytearray()
        try:
            async with self._http.stream("POST", self._url, content=request, headers={"content-type": _QUERY}) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise AnchoringError(f"{self.name}: HTTP status {answer.status_code}")
                if answer.headers.get("content-type", "").partition(";")[0].strip() != _REPLY:
                    raise AnchoringError(f"{self.name}: its answer is not a {_REPLY}")
                async for chunk in answer.aiter_bytes():
                    data += chunk
                    if len(data) > MAX_RESPONSE_BYTES:
                        raise AnchoringError(f"{self.name}: its answer has more than {MAX_RESPONSE_BYTES:,} bytes")
        except httpx.HTTPError as error:
            raise AnchoringError(f"{self.name}: no answer ({type(error).__name__})") from error
        return bytes(data)

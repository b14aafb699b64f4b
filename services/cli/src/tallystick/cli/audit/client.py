"""Asking the audit service over HTTP, and waiting where it says that one asks too often."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NoReturn, Self
from urllib.parse import quote

import httpx

from tallystick.merkle.encoding import decode_base64
from tallystick.runtime.log_reader import PATIENCE_S, retry_after_s
from tallystick.trust.packages.contents import POLICY_FILES

TIMEOUT_S = 60.0
PLACES = 10_000
Format = Literal["bundle", "tlog-proof", "receipt"]


class AuditUnavailableError(OSError):
    """The audit service refuses or does not answer; the message says why."""


class AuditRefusedError(AuditUnavailableError):
    """The service does not give this, or not to this caller: asking again changes nothing. `status` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Place:
    """Where a decision stands: its input partition, and its sequence there."""

    partition: int
    sequence: int


@dataclass(frozen=True, slots=True)
class ListedDecision:
    """Where a decision is, by the service's index."""

    place: Place
    decided_at_ms: int
    outcome: str
    log: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came for a place: `data` is the file in the form that was asked for, or None and `problem` says why not."""

    place: Place
    data: bytes | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class OpenedEvidence:
    """An evidence record: the SHA-256 by which a decision names it, and (salt, content) by group.

    `sealed` is the record itself if it is said to be erased: it tells under which key it is.
    """

    sequence: int
    digest: bytes
    groups: Mapping[str, tuple[bytes, bytes]]
    sealed: bytes | None = None


class AuditClient:
    """One service, asked with one token; an async context manager. Every method raises AuditUnavailableError.

    Args:
        url: the service's address.
        token: an access token; None: what is for everybody.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(base_url=self._url, timeout=TIMEOUT_S, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def bundle(self, decision: str | Place, disclose: Collection[str] = ()) -> bytes:
        """Return the proof bundle of the newest decision on a transaction id, or of that at a place."""
        where = f"decisions/{quote(decision, safe='')}" if isinstance(decision, str) else _position(decision)
        return (await self._get(f"/v1/{where}/bundle", {"disclose": ",".join(disclose)} if disclose else {})).content

    async def model(self, digest: bytes) -> bytes:
        """Return the model's file of this SHA-256."""
        return (await self._get(f"/v1/models/{digest.hex()}", {})).content

    async def trust_policy(self) -> dict[str, bytes]:
        """Return the files of the trust policy that the service itself uses, by name: for comparing only."""
        return {name: (await self._get(f"/v1/trust-policy/{name}", {})).content for name in POLICY_FILES}

    async def accesses(self, batch: int) -> bytes:
        """Return the records of who was shown evidence that one digest is over, a line each, as they were written."""
        return (await self._get(f"/v1/accesses/{batch}", {})).content

    async def decisions(self, from_ms: int, to_ms: int, outcome: str | None = None) -> AsyncIterator[ListedDecision]:
        """Give the decisions of `from_ms <= time < to_ms` in the order of time, all of them or those of one outcome."""
        query: dict[str, str | int] = {"from_ms": from_ms, "to_ms": to_ms, "limit": 1_000}
        if outcome is not None:
            query["outcome"] = outcome
        while True:
            page = _read((await self._get("/v1/decisions", query)).content, self._url)
            for one in page["decisions"]:
                place = Place(one["partition"], one["sequence"])
                yield ListedDecision(place, one["decided_at_ms"], one["outcome"], one["log"], one["log_index"])
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    async def receipts(
        self, places: Iterable[Place], form: Format = "bundle", disclose: Collection[str] = ()
    ) -> AsyncIterator[Receipt]:
        """Give the receipts of any number of places, in their order, streamed 10,000 at a time."""
        rest = iter(places)
        while some := list(islice(rest, PLACES)):
            asked = [{"partition": place.partition, "sequence": place.sequence} for place in some]
            body = {"places": asked, "format": form, "disclose": list(disclose)}
            given = 0
            async for line in self._lines("/v1/receipts", body):
                yield _receipt(_read(line.encode(), self._url))
                given += 1
            if given != len(some):
                raise AuditUnavailableError(f"{self._url}: the answer was cut off after {given} of {len(some)} receipts")

    async def evidence(self, partition: int, first: int, count: int, groups: Collection[str]) -> list[OpenedEvidence]:
        """Return what may be opened of the evidence at `count` sequences of a partition from `first` on, at most 1,000."""
        query: dict[str, str | int] = {"count": count, "disclose": ",".join(sorted(groups))}
        answer = _read((await self._get(f"/v1/evidence/{partition}/{first}", query)).content, self._url)
        return [_evidence(one) for one in answer["evidence"]]

    async def _get(self, path: str, query: Mapping[str, str | int]) -> httpx.Response:
        while True:
            try:
                response = await self._http.get(path, params=dict(query))
            except httpx.HTTPError as error:
                raise AuditUnavailableError(f"{self._url}: {error or type(error).__name__}") from error
            if response.status_code == httpx.codes.OK:
                return response
            await self._wait_or_refuse(response)

    async def _lines(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[str]:
        while True:
            try:
                async with self._http.stream("POST", path, json=body) as response:
                    if response.status_code == httpx.codes.OK:
                        async for line in response.aiter_lines():
                            yield line
                        return
                    await response.aread()
            except httpx.HTTPError as error:
                raise AuditUnavailableError(f"{self._url}: {error or type(error).__name__}") from error
            await self._wait_or_refuse(response)

    async def _wait_or_refuse(self, response: httpx.Response) -> None:
        wait_s = retry_after_s(response)
        if wait_s is not None and wait_s <= PATIENCE_S:
            await asyncio.sleep(wait_s)
            return
        _refuse(self._url, response)


def _refuse(url: str, response: httpx.Response) -> NoReturn:
    try:
        said = str(response.json()["detail"])
    except (ValueError, LookupError, TypeError):
        said = response.reason_phrase
    if response.is_client_error and response.status_code != httpx.codes.TOO_MANY_REQUESTS:
        raise AuditRefusedError(f"{url} answers {response.status_code}: {said}", response.status_code)
    raise AuditUnavailableError(f"{url} answers {response.status_code}: {said}")


def _read(data: bytes, url: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise AuditUnavailableError(f"{url}: the answer is no JSON") from error
    if not isinstance(document, dict):
        raise AuditUnavailableError(f"{url}: the answer is not what was asked for")
    return document


def _position(place: Place) -> str:
    return f"positions/{place.partition}/{place.sequence}"


def _receipt(line: Mapping[str, Any]) -> Receipt:
    place = Place(line["partition"], line["sequence"])
    if "problem" in line:
        return Receipt(place, None, str(line["problem"]["detail"]))
    if "bundle" in line:
        return Receipt(place, json.dumps(line["bundle"], ensure_ascii=False, indent=1).encode() + b"\n")
    return Receipt(place, line["proof"].encode() if "proof" in line else decode_base64(line["receipt"]))


def _evidence(one: Mapping[str, Any]) -> OpenedEvidence:
    opened: Sequence[Mapping[str, str]] = one["openings"]
    groups = {item["group"]: (decode_base64(item["salt"]), decode_base64(item["content"])) for item in opened}
    sealed = decode_base64(one.get("sealed") or "") if one.get("erased") else None
    return OpenedEvidence(one["sequence"], bytes.fromhex(one["digest"]), groups, sealed)

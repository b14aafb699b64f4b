"""Many receipts in one answer, streamed: a line for each place that was asked for, in that order. For auditors."""

import base64
import json
import math
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator, ConfigDict, Field

from tallystick.audit.api import examples, problems
from tallystick.audit.api.decisions import Auditor
from tallystick.audit.api.schemas import Answer
from tallystick.audit.api.state import Audit, Served
from tallystick.audit.entries import Place
from tallystick.audit.errors import AuditError
from tallystick.audit.finding import Found
from tallystick.audit.tokens import Caller
from tallystick.trust.bundle_format import Opening, bundle_to_json

MAX_PLACES = 10_000
CHUNK = 64
"""So many at a time are found, opened and sent."""
COST = 100
"""So many receipts count as one request."""
MEDIA_TYPE = "application/x-ndjson"
Group = Literal["identity", "transaction", "features", "explanation"]
Format = Literal["bundle", "tlog-proof", "receipt"]


def _integral(value: object) -> object:
    """Return a float without a fraction as the integer that it is in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class AskedPlace(Answer):
    """Where a decision is."""

    partition: Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(_integral)]
    sequence: Annotated[int, Field(ge=0, le=2**53 - 1), BeforeValidator(_integral)]


class Asked(Answer):
    """Which receipts, and in which form."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.BATCH]})

    places: Annotated[list[AskedPlace], Field(min_length=1, max_length=MAX_PLACES)]
    format: Format = Field("bundle", description="A proof bundle, a C2SP proof file, or a COSE receipt with its entry")
    disclose: Annotated[list[Group], Field(max_length=4)] = Field([], description="Groups of the evidence; in bundles alone")


router = APIRouter(prefix="/v1", tags=["decisions"])


@router.post(
    "/receipts",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A JSON object a line: the place, and `bundle`, `proof` (text), `receipt` with `entry` (base64), or "
            "`problem`",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": examples.BATCH_LINE}},
        },
        **problems.declared(problems.TOO_LARGE),
    },
)
async def get_receipts(audit: Served, caller: Auditor, asked: Annotated[Asked, Body()]) -> StreamingResponse:
    """Return the receipts of up to 10,000 decisions, as they are put together. For auditors.

    What cannot be given has a line that says why, and the rest goes on. An answer that ends before its last line was cut off:
    ask for the rest again.
    """
    audit.limits.caller(caller.subject, math.ceil(len(asked.places) / COST))
    return StreamingResponse(
        _lines(audit, caller, asked), media_type=MEDIA_TYPE, headers={"Cache-Control": "private, no-store"}
    )


async def _lines(audit: Audit, caller: Caller, asked: Asked) -> AsyncIterator[bytes]:
    groups = list(dict.fromkeys(asked.disclose)) if asked.format == "bundle" else []
    places = [Place(place.partition, place.sequence) for place in asked.places]
    for start in range(0, len(places), CHUNK):
        chunk = places[start : start + CHUNK]
        try:
            told = await _receipts(audit, caller, chunk, asked.format, groups)
        except AuditError as error:
            told = [{"problem": problems.as_json(error)}] * len(chunk)
        # In ASCII: what else ends a line to some readers is never in one.
        lines = [
            json.dumps({"partition": place.partition, "sequence": place.sequence, **one}, separators=(",", ":"))
            for place, one in zip(chunk, told, strict=True)
        ]
        yield "".join(f"{line}\n" for line in lines).encode()


async def _receipts(
    audit: Audit, caller: Caller, places: Sequence[Place], form: Format, groups: Sequence[str]
) -> list[dict[str, Any]]:
    found = await audit.finder.by_places(places)
    openings = await _opened(audit, caller, found, groups) if groups else {}
    return [await _receipt(audit, one, form, openings.get(place, ())) for place, one in zip(places, found, strict=True)]


async def _opened(
    audit: Audit, caller: Caller, found: Sequence[Found | AuditError], groups: Sequence[str]
) -> dict[Place, list[Opening] | AuditError]:
    """Open the evidence of what was found, and record who is shown it."""
    logged = [one.logged for one in found if isinstance(one, Found)]
    opened = dict(zip([one.place for one in logged], await audit.opener.of_several(logged, groups), strict=True))
    shown = [place for place, one in opened.items() if not isinstance(one, AuditError)]
    await audit.accesses.record_several(caller, shown, groups)
    return opened


async def _receipt(
    audit: Audit, found: Found | AuditError, form: Format, openings: Sequence[Opening] | AuditError
) -> dict[str, Any]:
    try:
        for failed in (found, openings):
            if isinstance(failed, AuditError):
                raise failed
        assert isinstance(found, Found)  # noqa: S101  for mypy: it was raised otherwise
        assert not isinstance(openings, AuditError)  # noqa: S101  the same
        if form == "tlog-proof":
            return {"proof": (await audit.log_prover.proof_file(found)).decode()}
        if form == "receipt":
            receipt = await audit.log_prover.receipt(found)
            return {"receipt": base64.b64encode(receipt).decode(), "entry": base64.b64encode(found.logged.entry).decode()}
        return {"bundle": bundle_to_json(await audit.prover.bundle(found, openings))}
    except AuditError as error:
        return {"problem": problems.as_json(error)}

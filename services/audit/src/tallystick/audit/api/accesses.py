"""Who was shown evidence, for those who oversee that: batches of records, each under a digest in the governance log."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from tallystick.audit.api import examples, problems
from tallystick.audit.api.access import OVERSIGHT
from tallystick.audit.api.state import Served
from tallystick.audit.errors import UnknownError

MEDIA_TYPE = "application/x-ndjson"

router = APIRouter(prefix="/v1/accesses", tags=["accesses to evidence"])


@router.get(
    "/{batch}",
    response_class=Response,
    dependencies=[OVERSIGHT],
    responses={
        200: {
            "description": "The records, one line each, as they were written",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": examples.ACCESSES}},
        },
        **problems.declared(problems.UNKNOWN, problems.UNAVAILABLE),
    },
)
async def get_accesses(
    audit: Served, batch: Annotated[int, Path(ge=0, le=2**53 - 1, description="Which batch, from 0 on", examples=[0])]
) -> Response:
    """Return the records of who was shown evidence that one digest in the governance log is over.

    The digest is SHA-256("tallystick/v1/access-records" || 0A || the digest before it || each line || 0A).
    """
    lines = await audit.accesses.lines(batch)
    if not lines:
        raise UnknownError("There is no such batch of records here.")
    return Response("".join(f"{line}\n" for line in lines), media_type=MEDIA_TYPE)

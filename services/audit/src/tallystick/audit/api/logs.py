"""The logs in JSON: what there is, and consistency proofs."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from tallystick.audit.api import examples, problems
from tallystick.audit.api.schemas import ConsistencyAnswer, LogDescription, Logs
from tallystick.audit.api.state import Served
from tallystick.audit.errors import UnknownError
from tallystick.merkle.encoding import encode_base64

LogName = Annotated[
    str, Path(max_length=64, pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="Which log, by name", examples=["decisions"])
]
Size = Annotated[int, Query(ge=1, le=2**63 - 1, description="A tree size", examples=[1024])]

router = APIRouter(prefix="/v1/logs", tags=["logs"])


@router.get(
    "",
    responses={
        200: {"description": "The logs", "content": {"application/json": {"example": examples.LOGS}}},
        **problems.declared(problems.UNAVAILABLE),
    },
)
async def get_logs(audit: Served) -> Logs:
    """Return the logs that are served here, each with its newest checkpoint's size and root."""
    described = []
    for name, log in audit.logs.items():
        checkpoint = (await log.head()).checkpoint
        described.append(
            LogDescription(
                name=name,
                origin=checkpoint.origin,
                size=checkpoint.size,
                root=encode_base64(checkpoint.root),
                prefix=f"/{name}",
            )
        )
    return Logs(logs=described)


@router.get(
    "/{log}/consistency",
    responses={
        200: {"description": "The proof", "content": {"application/json": {"example": examples.CONSISTENCY}}},
        **problems.declared(problems.UNKNOWN, problems.OUT_OF_RANGE, problems.UNAVAILABLE),
    },
)
async def get_consistency(
    audit: Served,
    log: LogName,
    first: Size,
    second: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="The later tree size; if absent the published one", examples=[4096])
    ] = None,
) -> ConsistencyAnswer:
    """Return the proof that the log only grew between two sizes; compare the roots with checkpoints that you have kept."""
    served = audit.logs.get(log)
    if served is None:
        raise UnknownError(f"There is no such log here; there are {', '.join(audit.logs)}.")
    proven = await served.consistency(first, second)
    return ConsistencyAnswer(
        origin=served.origin,
        first=proven.first,
        second=proven.second,
        first_root=encode_base64(proven.first_root),
        second_root=encode_base64(proven.second_root),
        proof=[encode_base64(node) for node in proven.proof],
    )

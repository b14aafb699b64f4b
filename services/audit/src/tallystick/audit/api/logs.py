"""The logs in JSON: what there is, consistency proofs, and anchors."""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.routing import APIRoute

from tallystick.audit.api import examples, patterns, problems
from tallystick.audit.api.schemas import (
    AnchoredSizes,
    AnchorsAnswer,
    ConsistencyAnswer,
    InclusionAnswer,
    LogDescription,
    Logs,
)
from tallystick.audit.api.state import Audit, Served
from tallystick.audit.errors import UnknownError
from tallystick.audit.logs import PublishedLog
from tallystick.merkle.encoding import encode_base64
from tallystick.trust.anchors.receipts import receipt_to_json

LogName = Annotated[
    str, Path(max_length=64, pattern=patterns.LOG_NAME, description="Which log, by name", examples=["decisions"])
]
Size = Annotated[int, Query(ge=1, le=2**53 - 1, description="A tree size", examples=[1024])]

_PLAIN_QUERY = re.compile(rb"index=([0-9]{1,18})(?:&size=([1-9][0-9]{0,17}))?")

router = APIRouter(prefix="/v1/logs", tags=["logs"])


class InclusionRoute(APIRoute):
    """Answers an ordinary query at once.

    Proofs are asked for in bulk, and resolving the parameters the declared way takes longer than a proof does. Whatever is not
    written plainly goes that way, which says what is wrong with it.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        as_declared = super().get_route_handler()

        async def handle(request: Request) -> Response:
            plain = _PLAIN_QUERY.fullmatch(request.scope["query_string"])
            audit: Audit = request.app.state.audit
            name = request.path_params["log"]
            if plain is None or name not in audit.logs:
                return await as_declared(request)
            index, size = plain.groups()
            return await _inclusion(audit.logs[name], int(index), int(size) if size else None)

        return handle


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


async def get_inclusion(
    audit: Served,
    log: LogName,
    index: Annotated[int, Query(ge=0, le=2**53 - 1, description="The entry's place in the log", examples=[1234])],
    size: Annotated[
        int | None, Query(ge=1, le=2**53 - 1, description="The tree's size; if absent the published one", examples=[4096])
    ] = None,
) -> Response:
    """Return the proof of what is at a place of the log; compare its leaf hash and its root with what you have."""
    return await _inclusion(served_log(audit, log), index, size)


router.add_api_route(
    "/{log}/inclusion",
    get_inclusion,
    route_class_override=InclusionRoute,
    response_model=InclusionAnswer,
    responses={
        200: {"description": "The proof", "content": {"application/json": {"example": examples.INCLUSION}}},
        **problems.declared(problems.UNKNOWN, problems.OUT_OF_RANGE, problems.UNAVAILABLE),
    },
)


async def _inclusion(log: PublishedLog, index: int, size: int | None) -> Response:
    proven = await log.inclusion(index, size)
    answer = InclusionAnswer(
        origin=log.origin,
        index=proven.index,
        size=proven.size,
        leaf_hash=encode_base64(proven.leaf),
        root=encode_base64(proven.root),
        proof=[encode_base64(node) for node in proven.proof],
    )
    return Response(answer.model_dump_json(), media_type="application/json")  # not validated again: this is asked for in bulk


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
        int | None, Query(ge=1, le=2**53 - 1, description="The later tree size; if absent the published one", examples=[4096])
    ] = None,
) -> ConsistencyAnswer:
    """Return the proof that the log only grew between two sizes; compare the roots with checkpoints that you have kept."""
    served = served_log(audit, log)
    proven = await served.consistency(first, second)
    return ConsistencyAnswer(
        origin=served.origin,
        first=proven.first,
        second=proven.second,
        first_root=encode_base64(proven.first_root),
        second_root=encode_base64(proven.second_root),
        proof=[encode_base64(node) for node in proven.proof],
    )


@router.get(
    "/{log}/anchors",
    responses={
        200: {"description": "The sizes", "content": {"application/json": {"example": examples.ANCHORED}}},
        **problems.declared(problems.UNKNOWN, problems.UNAVAILABLE),
    },
)
async def get_anchors(
    audit: Served,
    log: LogName,
    first: Annotated[int, Query(ge=0, le=2**53 - 1, description="The least size to list", examples=[1024])] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many to list", examples=[100])] = 100,
) -> AnchoredSizes:
    """Return which heads of a log are anchored outside; for the next ones ask from the last size + 1."""
    served = served_log(audit, log)
    return AnchoredSizes(origin=served.origin, sizes=list(await audit.anchors.sizes(served, first, limit)))


@router.get(
    "/{log}/anchors/{size}",
    responses={
        200: {"description": "The receipts", "content": {"application/json": {"example": examples.ANCHORS}}},
        **problems.declared(problems.UNKNOWN, problems.INCONSISTENT, problems.UNAVAILABLE),
    },
)
async def get_anchor(
    audit: Served,
    log: LogName,
    size: Annotated[int, Path(ge=1, le=2**53 - 1, description="An anchored size", examples=[4096])],
) -> AnchorsAnswer:
    """Return the receipts for one head, and the signed checkpoint that states it."""
    served = served_log(audit, log)
    head = await audit.anchors.of(served, size)
    return AnchorsAnswer(
        origin=served.origin,
        size=size,
        checkpoint=head.checkpoint,
        receipts=[receipt_to_json(receipt) for receipt in head.receipts],
        unreadable=list(head.unreadable),
    )


def served_log(audit: Audit, name: str) -> PublishedLog:
    """Return a log by its name. Raises UnknownError."""
    if name not in audit.logs:
        raise UnknownError(f"There is no such log here; there are {', '.join(audit.logs)}.")
    return audit.logs[name]

"""Each log under its prefix as C2SP tlog-tiles: checkpoint, hash tiles, entry bundles.

Hash tiles are public: they hold nothing but hashes. The entries of the decisions' logs are
pseudonymous data about all customers at once, so they are for auditors; the governance log holds no personal data and
is public whole.
"""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response

from tallystick.audit.api import examples, problems
from tallystick.audit.api.access import AUDITOR_FOR_SOME
from tallystick.audit.api.state import Served
from tallystick.audit.errors import UnknownError
from tallystick.audit.tokens import Scope
from tallystick.merkle.tiles import ENTRIES, TileError, TilePath

IMMUTABLE = "public, max-age=31536000, immutable"
PARTIAL = "public, max-age=60"
_CHECKPOINT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A signed note",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": examples.CHECKPOINT}},
    },
    304: {"description": "Not newer than the one you have"},
    **problems.declared(problems.UNAVAILABLE),
}
_TILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Hashes of 32 bytes each, or entries each after its big-endian uint16 length",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}, "example": "<32 × width bytes>"}
        },
    },
    304: {"description": "The one you have"},
    **problems.declared(problems.UNKNOWN, problems.UNAVAILABLE),
}
Tile = Annotated[
    str, Path(max_length=64, description="<L>/<N>[.p/<W>] or entries/<N>[.p/<W>]", examples=["0/x001/234", "entries/000.p/17"])
]
IfNoneMatch = Annotated[str | None, Header(max_length=1024, include_in_schema=False)]


def tiles_router(name: str, *, closed: bool) -> APIRouter:
    """Return the routes of the log `name`, under `/name`; `closed`: its entries are for auditors."""
    router = APIRouter(prefix=f"/{name}", tags=[f"tlog-tiles of {name}"])
    security: dict[str, Any] | None = AUDITOR_FOR_SOME if closed else None
    refusals = problems.declared(problems.UNKNOWN, *problems.ACCESS) if closed else {}

    @router.get("/checkpoint", responses=_CHECKPOINT, response_class=Response, operation_id=f"get_{name}_checkpoint")
    async def get_checkpoint(audit: Served, if_none_match: IfNoneMatch = None) -> Response:
        """Return the newest checkpoint."""
        head = await audit.logs[name].head()
        return cached(head.note, "text/plain; charset=utf-8", "no-cache", if_none_match)

    @router.get(
        "/tile/{tile:path}",
        responses=_TILE | refusals,
        response_class=Response,
        operation_id=f"get_{name}_tile",
        openapi_extra=security,
    )
    async def get_tile(audit: Served, request: Request, tile: Tile, if_none_match: IfNoneMatch = None) -> Response:
        """Return a tile or an entry bundle of the published tree."""
        try:
            path = TilePath.parse(f"tile/{tile}")
        except TileError as error:
            raise UnknownError("This is not the path of a tile.") from error
        private = closed and path.level == ENTRIES
        if private:
            caller = await audit.gate.admit(request.headers.get("authorization"), [Scope.AUDITOR])
            audit.limits.caller(caller.subject)
        data = await audit.logs[name].tile(path)
        caching = "private, no-store" if private else IMMUTABLE if path.is_full else PARTIAL
        return cached(data, "application/octet-stream", caching, if_none_match)

    return router


def cached(data: bytes, media_type: str, caching: str, if_none_match: str | None) -> Response:
    """Return the data with its entity tag, or 304 to whoever has it already (RFC 9110 §13.1.2)."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": caching}
    known = {part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)

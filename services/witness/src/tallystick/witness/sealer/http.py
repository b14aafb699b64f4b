"""A sealer over HTTP: its seals, for whoever would rather have them from it than from the operator; health and metrics.

`GET /seals?first=N`: up to 256 seals from number N on, each a two-byte big-endian length and a serialised `Seal` (as in a C2SP
entry bundle), 404 if there is none yet; `GET /key`: the public key; `/health…`, `/metrics`.
"""

import re

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tallystick.merkle.bundles import encode_bundle
from tallystick.witness.sealer.service import InputSealer
from tallystick.witness.store import StateUnavailableError

AT_ONCE = 256
_NUMBER = re.compile("[0-9]{1,18}")


def routes(sealer: InputSealer, name: str, public_key: str) -> list[Route]:
    """Return the routes beside those of health."""

    async def seals(request: Request) -> Response:
        first = request.query_params.get("first", "0")
        if not _NUMBER.fullmatch(first):
            return PlainTextResponse("first is a seal's number\n", 400)
        try:
            found = await sealer.seals(int(first), AT_ONCE)
        except StateUnavailableError:
            return PlainTextResponse("this sealer cannot read its state; try again\n", 503)
        if not found:
            return PlainTextResponse("this sealer has signed no such seal yet\n", 404)
        return Response(encode_bundle(found), media_type="application/octet-stream", headers={"Cache-Control": "no-cache"})

    async def key(_: Request) -> Response:
        return PlainTextResponse(f"{name}:{public_key}\n")

    return [Route("/seals", seals), Route("/key", key)]

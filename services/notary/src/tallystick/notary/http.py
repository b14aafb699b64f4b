"""The notary's HTTP beside health: where an input partition stands in the log.

`GET /v1/position/{source_topic}/{partition}` answers 200 with

    {"origin": o, "next_sequence": n, "source_offset": n|null, "chain": hex|null, "activation_index": n|null,
     "record_offset": n|null, "log_index": n|null}

`origin` being the partition's log; all but the first two null before the partition's first decision. 404 for a partition that
no log has taken, 503 while the database does not answer. Errors are problem details (RFC 9457).
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tallystick.notary.database import Database
from tallystick.notary.errors import UnavailableError
from tallystick.notary.state import Position
from tallystick.notary.waiting import answering
from tallystick.runtime.health import Health

MAX_PARTITION = 2**31 - 1


def routes(database: Database, health: Health) -> list[Route]:
    """Return the routes."""

    async def position(request: Request) -> Response:
        topic, partition = request.path_params["source_topic"], request.path_params["partition"]
        try:
            # From the database, not from memory: an answer must hold even if another notary has taken over.
            with answering("database", health):
                found = await database.position(topic, partition) if partition <= MAX_PARTITION else None
        except UnavailableError:
            return _problem(503, "the database does not answer", "ask again")
        if found is None:
            return _problem(404, "no such input partition", "no log here has taken this partition")
        return JSONResponse(_body(*found))

    return [Route("/v1/position/{source_topic}/{partition:int}", position)]


def _body(origin: str, position: Position | None) -> dict[str, object]:
    if position is None:
        names = ("source_offset", "chain", "activation_index", "record_offset", "log_index")
        return {"origin": origin, "next_sequence": 0} | dict.fromkeys(names)
    return {
        "origin": origin,
        "next_sequence": position.next_sequence,
        "source_offset": position.source_offset,
        "chain": position.chain.hex(),
        "activation_index": position.activation_index,
        "record_offset": position.record_offset,
        "log_index": position.log_index,
    }


def _problem(status: int, title: str, detail: str) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")

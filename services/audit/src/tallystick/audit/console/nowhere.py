"""Addresses below the console that are no page."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from tallystick.audit.console.pages import PREFIX, PageRoute, page
from tallystick.audit.console.session import Reader

router = APIRouter(prefix=PREFIX, route_class=PageRoute, include_in_schema=False)


@router.get("")
async def to_the_start() -> Response:
    """Go to the start page, whose address ends in a slash."""
    return RedirectResponse(f"{PREFIX}/", HTTPStatus.PERMANENT_REDIRECT)


@router.get("/{_:path}")
async def nothing(caller: Reader) -> Response:
    """Say that there is no such page."""
    words = "The console has no page at this address. Search for a transaction instead."
    return page("trouble.html", HTTPStatus.NOT_FOUND, reader=caller, title="Nothing there", words=words)

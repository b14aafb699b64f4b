"""The verifier: as a page, as one file to download, and the files that the pages themselves are made of."""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Response

from tallystick.audit.api.tiles import IfNoneMatch, cached
from tallystick.audit.console.pages import PREFIX, PageRoute, page
from tallystick.audit.console.session import Reader
from tallystick.audit.console.standalone import digest, standalone, static
from tallystick.audit.errors import UnknownError

KINDS = {
    "records.mjs": "text/javascript; charset=utf-8",
    "verify.mjs": "text/javascript; charset=utf-8",
    "panel.mjs": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "mark.svg": "image/svg+xml",
}
_META = re.compile(rb'http-equiv="Content-Security-Policy" content="([^"]*)"')

router = APIRouter(prefix=PREFIX, route_class=PageRoute, include_in_schema=False)


@router.get("/verify")
async def verify(caller: Reader) -> Response:
    """Return the page that verifies a bundle of any bank."""
    return page("verify.html", reader=caller, here="verify", digest=digest(), size=len(standalone()))


@router.get("/verifier.html")
async def verifier() -> Response:
    """Return the verifier as one file."""
    data = standalone()
    found = _META.search(data)
    assert found is not None  # noqa: S101  it is in the template
    headers = {
        "Content-Disposition": 'attachment; filename="tallystick-verifier.html"',
        "Content-Security-Policy": found[1].decode().replace("&#39;", "'") + "; frame-ancestors 'none'",
        "ETag": f'"{digest()}"',
    }
    return Response(data, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/static/{name}")
async def get_static(name: Annotated[str, Path(max_length=64)], if_none_match: IfNoneMatch = None) -> Response:
    """Return a file of the console's own."""
    if name not in KINDS:
        raise UnknownError("The console has no such file.")
    return cached(static(name).encode(), KINDS[name], "no-cache", if_none_match)

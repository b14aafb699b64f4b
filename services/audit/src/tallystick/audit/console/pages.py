"""Rendering a page, and telling what went wrong as one."""

import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined

from tallystick.audit.api.problems import audit_error
from tallystick.audit.console.charts import when
from tallystick.audit.errors import AuditError, ClosedError, TokenMissingError, TokenRefusedError

PREFIX = "/console"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page: nothing from elsewhere, and nothing written into the page runs."""


def environment() -> Environment:
    """Return the templates: everything is escaped, and a name that is missing is an error."""
    made = Environment(
        loader=PackageLoader("tallystick.audit.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"count": lambda number: f"{number:,}", "when": when, "when_ms": lambda time_ms: when(time_ms / 1000)}
    return made


TEMPLATES = environment()


def page(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page. `reader`, who is signed in, is None unless given."""
    html = TEMPLATES.get_template(template).render(prefix=PREFIX, **{"reader": None, "here": "", **context})
    # Under `no-referrer` a browser would not tell from which site a form comes either.
    return HTMLResponse(html, status, headers={"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"})


class FormError(ValueError):
    """A form that is not taken."""


class PageRoute(APIRoute):
    """Answers what goes wrong with a page that says so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await answer(request)
            except (TokenMissingError, TokenRefusedError, ClosedError) as error:
                reason = "" if isinstance(error, TokenMissingError) else str(error)
                return page("sign_in.html", 401, reason=reason, after=request.url.path)
            except AuditError as error:
                answer_of_api = await audit_error(request, error)
                told = json.loads(bytes(answer_of_api.body))
                said = page("trouble.html", told["status"], title=told["title"], words=told["detail"])
                if after := answer_of_api.headers.get("retry-after"):
                    said.headers["Retry-After"] = after
                return said
            except FormError as error:
                return page("trouble.html", HTTPStatus.BAD_REQUEST, title="Not taken", words=str(error))
            except RequestValidationError:
                words = "This address asks for something that cannot exist. Search for a transaction instead."
                return page("trouble.html", HTTPStatus.NOT_FOUND, title="Nothing there", words=words)

        return handle

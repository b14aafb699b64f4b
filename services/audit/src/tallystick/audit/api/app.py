"""The FastAPI application: routers, error handlers, health and the OpenAPI document."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from tallystick.audit.api import (
    access,
    accesses,
    batches,
    decisions,
    erasure,
    evidence,
    governing,
    listing,
    log_proofs,
    logs,
    problems,
    public,
)
from tallystick.audit.api.state import Audit
from tallystick.audit.api.tiles import tiles_router
from tallystick.audit.console.routes import PAGES
from tallystick.audit.console.state import Console
from tallystick.audit.errors import AuditError
from tallystick.runtime.health import Health
from tallystick.runtime.problems import Problem, internal_error

_DESCRIPTION = """
Decisions, and the proofs that they are in an append-only log. Nothing here asks to be believed: verify what you get with
`tallystick verify` and a trust policy that you did not get from here.

Errors are problem details (RFC 9457); their `type` tells them apart. `/health`, `/health/live`, `/health/ready` and `/metrics`
are for operators. HEAD is answered wherever GET is.

Checkpoints, hash tiles and the governance log are for everybody. What holds decisions needs an access token of the operator's
OIDC issuer: a customer's (`tallystick:customer`) for their own decisions, an auditor's (`tallystick:auditor`) for all of them,
their evidence, the logs' entries and models. Who is shown evidence is recorded.
"""


def create_app(audit: Audit, health: Health, console: Console) -> FastAPI:
    """Return the application that answers with `audit`, and shows `console`. Wrap it in `Shield` to serve it."""
    # Neither page of interactive documentation: both load scripts from elsewhere.
    app = FastAPI(
        title="Tallystick audit",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.audit = audit
    app.state.health = health
    app.state.console = console
    tiles = [tiles_router(name, closed=name in audit.closed) for name in audit.logs]
    # Before the decisions: an id may hold a slash, so that `.../receipt` would be taken for a part of the id.
    parts = (log_proofs, listing, decisions, evidence, batches, erasure, logs, governing, accesses, public)
    routers = (*(part.router for part in parts), *tiles)
    for router in routers:
        app.include_router(router)
    for router in PAGES:
        app.include_router(router)
    app.routes.extend(health.routes())
    app.add_exception_handler(AuditError, problems.audit_error)
    app.add_exception_handler(RequestValidationError, problems.invalid_request)
    app.add_exception_handler(HTTPException, problems.http_error)
    app.add_exception_handler(Exception, internal_error)
    routes = [route for router in routers for route in router.routes]
    app.openapi = lambda: _document(app, routes)  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
    return app


def _document(app: FastAPI, routes: Iterable[BaseRoute]) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = document.setdefault("components", {})
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = components.setdefault("schemas", {})
        schemas.update(schema.pop("$defs", {}))
        schemas["Problem"] = schema
        components["securitySchemes"] = access.SECURITY_SCHEMES
        access.document_needs(document, routes)
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = document
    return app.openapi_schema

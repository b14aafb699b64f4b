"""What the routers answer with, made once by `main` and kept on the application."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from tallystick.audit.anchoring import Anchors
from tallystick.audit.api.access import TokenGate
from tallystick.audit.finding import Finder
from tallystick.audit.log_proving import LogProver
from tallystick.audit.logs import PublishedLog
from tallystick.audit.models import ModelFiles
from tallystick.audit.proving import Opener, Prover


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that answers.

    `logs` by name; `closed` names those whose entries need the token; `policy_files` are the trust policy's files by name as
    they were read at start.
    """

    finder: Finder
    prover: Prover
    opener: Opener
    log_prover: LogProver
    logs: Mapping[str, PublishedLog]
    anchors: Anchors
    closed: frozenset[str]
    models: ModelFiles
    policy_files: Mapping[str, bytes]
    gate: TokenGate


def _audit(request: Request) -> Audit:
    audit: Audit = request.app.state.audit
    return audit


Served = Annotated[Audit, Depends(_audit)]
Authorization = Annotated[str | None, Header(max_length=4096, include_in_schema=False)]


def _admit(audit: Served, authorization: Authorization = None) -> None:
    audit.gate.admit(authorization)


TOKEN = Depends(_admit)
"""The dependency of an operation that always needs the token; asked before anything else of the request is looked at."""

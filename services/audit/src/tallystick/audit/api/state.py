"""What the routers answer with, made once by `main` and kept on the application."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tallystick.audit.accesses import Accesses
from tallystick.audit.anchoring import Anchors
from tallystick.audit.api.access import Gate
from tallystick.audit.api.limits import Limits
from tallystick.audit.erasing import Eraser
from tallystick.audit.finding import Finder
from tallystick.audit.governing import Governing
from tallystick.audit.indexing import Index
from tallystick.audit.log_proving import LogProver
from tallystick.audit.logs import PublishedLog
from tallystick.audit.models import ModelFiles
from tallystick.audit.owning import Owners
from tallystick.audit.proving import Opener, Prover


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that answers.

    `logs` by name; `closed` names those whose entries are for auditors; `policy_files` are the trust policy's files by name as
    they were read at start.
    """

    finder: Finder
    prover: Prover
    opener: Opener
    log_prover: LogProver
    eraser: Eraser
    logs: Mapping[str, PublishedLog]
    anchors: Anchors
    closed: frozenset[str]
    models: ModelFiles
    policy_files: Mapping[str, bytes]
    gate: Gate
    owners: Owners
    accesses: Accesses
    index: Index
    governing: Governing
    limits: Limits


def _audit(request: Request) -> Audit:
    audit: Audit = request.app.state.audit
    return audit


Served = Annotated[Audit, Depends(_audit)]

"""What the routers answer with, made once by `main` and kept on the application."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tallystick.audit.api.access import EvidenceGate
from tallystick.audit.finding import Finder
from tallystick.audit.logs import PublishedLog
from tallystick.audit.models import ModelFiles
from tallystick.audit.proving import Prover


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that answers: `logs` by name, `policy_files` the trust policy's files by name as they were read at start."""

    finder: Finder
    prover: Prover
    logs: Mapping[str, PublishedLog]
    models: ModelFiles
    policy_files: Mapping[str, bytes]
    gate: EvidenceGate


def _audit(request: Request) -> Audit:
    audit: Audit = request.app.state.audit
    return audit


Served = Annotated[Audit, Depends(_audit)]

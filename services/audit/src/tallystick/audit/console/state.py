"""What the console's routes answer with, made once by `main` and kept on the application."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tallystick.audit.console.history import History
from tallystick.audit.database import Database
from tallystick.trust.policy import TrustPolicy


@dataclass(frozen=True, slots=True)
class Console:
    """Beside `Audit`, which every route has too.

    `clock` gives seconds since 1970; `source_topic` is the input whose partitions are shown.
    """

    policy: TrustPolicy
    database: Database
    history: History
    source_topic: str
    clock: Callable[[], float]


def _console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


Shown = Annotated[Console, Depends(_console)]

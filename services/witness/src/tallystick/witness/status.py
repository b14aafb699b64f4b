"""What the witness says about itself: `ok`, or what is wrong."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_SILENCE_S = 30.0
OK = "ok"


@dataclass(slots=True)
class Status:
    """The state's answer, the file of logs, and when somebody last looked; asking never touches either."""

    state: str = "starting"
    logs: str = OK
    monotonic: Callable[[], float] = time.monotonic
    _looked_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.looked()

    def looked(self) -> None:
        """Say that the loop that looks after the state has turned."""
        self._looked_s = self.monotonic()

    @property
    def live(self) -> bool:
        """True if that loop has turned lately."""
        return self.monotonic() - self._looked_s <= MAX_SILENCE_S

    @property
    def ready(self) -> bool:
        """True if the state answers. A bad file of logs is no reason: the last good one is in force."""
        return self.state == OK

"""The notary's settings, from the environment (`TALLYSTICK_...`)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from tallystick.merkle.keys import NoteError, check_name
from tallystick.runtime.settings import DatabaseSettings, HttpSettings, KafkaSettings, Text, VaultSettings


class NotarySettings(KafkaSettings, VaultSettings, DatabaseSettings, HttpSettings):
    """What `tallystick-notary` needs to know."""

    decisions_origin: Text
    """The decision log's name in its checkpoints, for good: "<host>/<what>", without a scheme."""
    governance_origin: Text
    """The governance log's name in its checkpoints, for good."""
    log_dir: Path
    """Where the public files go: `<log_dir>/decisions`, `<log_dir>/governance`."""
    staging_dir: Path
    """Where staging objects go: on a disk as safe as the public one."""
    source_topic: Text = "transactions"
    """The input topic whose decisions are logged."""
    linger_ms: Annotated[int, Field(ge=0, le=10_000)] = 50
    """The least time between two batches."""
    refresh_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    """How often the governance log's checkpoint is cosigned anew though nothing changed."""

    @model_validator(mode="after")
    def _origins(self) -> "NotarySettings":
        for name in ("decisions_origin", "governance_origin"):
            try:
                check_name(getattr(self, name))
            except NoteError as error:
                raise ValueError(f"TALLYSTICK_{name.upper()}: {error}") from error
        if self.decisions_origin == self.governance_origin:
            raise ValueError("TALLYSTICK_GOVERNANCE_ORIGIN: must differ from TALLYSTICK_DECISIONS_ORIGIN")
        return self

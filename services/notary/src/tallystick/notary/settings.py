"""The notary's settings, from the environment (`TALLYSTICK_...`)."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tallystick.merkle.keys import NoteError, check_name
from tallystick.runtime.settings import (
    DatabaseSettings,
    HttpSettings,
    KafkaSettings,
    PathName,
    Seconds,
    Text,
    TopicName,
    VaultSettings,
)


class NotarySettings(KafkaSettings, VaultSettings, DatabaseSettings, HttpSettings):
    """What `tallystick-notary` needs to know."""

    decisions_origin: Text
    """The decision log's name in its checkpoints, for good: "<host>/<what>", without a scheme."""
    governance_origin: Text
    """The governance log's name in its checkpoints, for good."""
    log_dir: PathName
    """Where the public files go: `<log_dir>/decisions`, `<log_dir>/governance`."""
    staging_dir: PathName
    """Where staging objects go: on a disk as safe as the public one."""
    source_topic: TopicName = "transactions"
    """The input topic whose decisions are logged."""
    linger_ms: Annotated[int, Field(ge=0, le=10_000)] = 50
    """The least time between two batches."""
    refresh_s: Annotated[Seconds, Field(le=60)] = 10.0
    """How often the governance log's checkpoint is cosigned anew though nothing changed."""

    @model_validator(mode="after")
    def _origins(self) -> Self:
        for name in ("decisions_origin", "governance_origin"):
            try:
                check_name(getattr(self, name))
            except NoteError as error:
                raise ValueError(f"TALLYSTICK_{name.upper()}: {error}") from error
        if self.decisions_origin == self.governance_origin:
            raise ValueError("TALLYSTICK_GOVERNANCE_ORIGIN: must differ from TALLYSTICK_DECISIONS_ORIGIN")
        return self

    @model_validator(mode="after")
    def _directories(self) -> Self:
        public, staging = self.log_dir.resolve(), self.staging_dir.resolve()
        if public.is_relative_to(staging) or staging.is_relative_to(public):
            # What staging holds is deleted, and what the log directory holds is public.
            raise ValueError("TALLYSTICK_STAGING_DIR: must lie outside of TALLYSTICK_LOG_DIR, and the other way round")
        return self

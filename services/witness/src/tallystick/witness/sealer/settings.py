"""A sealer's settings, from the environment (`TALLYSTICK_...`)."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from tallystick.runtime.settings import ExistingFile, HttpSettings, KafkaSettings, Seconds, Text, TopicName, VaultSettings
from tallystick.witness.store import sqlite_path


def _state(value: str) -> str:
    if sqlite_path(value) is None:
        raise ValueError("must be sqlite:///absolute/path")
    return value


class SealerSettings(KafkaSettings, VaultSettings, HttpSettings):
    """What `tallystick-witness --role sealer` needs to know."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    """The sealer's name in trust policies, for good."""
    key_file: ExistingFile
    """The private key: Ed25519, PKCS #8 in PEM, mode 0600, nobody else's; `--role sealer --make-key` makes one."""
    state: Annotated[Text, AfterValidator(_state)]
    """What must never be lost: `sqlite:///absolute/path`."""
    source_topic: TopicName = "transactions"
    """The input topic."""
    seal_every_s: Annotated[Seconds, Field(le=60)] = 1.0
    """How often a seal is signed; sooner when so much has come that a seal would be too large."""
    recheck_every_s: Annotated[Seconds, Field(le=86_400)] = 60.0
    """How often the last sealed record of each partition is read again, so that a topic made anew is noticed."""
    source_grace_s: Annotated[Seconds, Field(le=86_400)] = 60.0
    """How long an upstream system's number is waited for once a larger one has come, before it is reported as missing."""
    retention_days: Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)] = 90.0
    """How long the bank has promised to keep the input: a last sealed record that is gone sooner is a gap."""

    @property
    def state_path(self) -> Path:
        """The state's file."""
        return sqlite_path(self.state) or Path()

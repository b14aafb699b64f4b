"""Settings of `tallystick-retention`, `TALLYSTICK_<NAME>` in the environment."""

from typing import Annotated

from pydantic import Field

from tallystick.runtime.retention import CHECKS_S, RetentionSettings
from tallystick.runtime.settings import (
    DatabaseSettings,
    Directory,
    HttpSettings,
    KafkaSettings,
    LogUrl,
    S3Settings,
    Seconds,
    VaultSettings,
)


class KeeperSettings(KafkaSettings, VaultSettings, DatabaseSettings, S3Settings, HttpSettings, RetentionSettings):
    """What it needs to know; its database is that of the customers' keys, its HTTP serves health and metrics only."""

    log_url: LogUrl
    """Where the logs are read: file:///directory, http(s)://prefix or s3://bucket/prefix; each is below it, by its name."""
    trust_policy: Directory
    """The trust policy's folder, which names the logs' origins and keys."""
    check_every_s: Annotated[Seconds, Field(le=CHECKS_S)] = 60.0
    """How often it looks for what is due."""

    def log_part(self, name: str) -> str:
        """Return the address of the log of this name."""
        return f"{self.log_url}/{name}"

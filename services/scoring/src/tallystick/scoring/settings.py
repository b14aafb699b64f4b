"""Scoring's settings."""

from pathlib import Path
from typing import Annotated

from pydantic import DirectoryPath, Field, field_validator

from tallystick.runtime.settings import DatabaseSettings, HttpSettings, KafkaSettings, Text, VaultSettings, http_url

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class ScoringSettings(KafkaSettings, VaultSettings, DatabaseSettings, HttpSettings):
    """What scoring needs to know, from `TALLYSTICK_*`."""

    trust_policy: DirectoryPath
    """The trust policy's folder: whose signatures count, and what the topics look like."""
    log_url: Text
    """Where both logs are read: file:///directory or http(s)://prefix, with `decisions` and `governance` below it."""
    models_dir: DirectoryPath
    """Where the models' files lie, as `<SHA-256>.json`."""
    notary_url: Text
    """Where the notary answers how far it has logged a partition."""
    source_topic: Text = "transactions"
    partitions: Text = "group"
    """`group`: as a Kafka consumer group divides them; `all`; or a list such as `0,1,5`."""
    group_id: Text = "tallystick-scoring"
    batch_records: Annotated[int, Field(ge=1, le=20_000)] = 2_000
    """Records scored at once at the most."""
    coverage_decisions: Count = 100_000
    """Decisions that may be ahead of the log."""
    coverage_age_s: Seconds = 10.0
    """How long a decision may be ahead of the log."""
    poll_log_s: Seconds = 0.1
    """How often the decisions' log is followed."""
    poll_governance_s: Seconds = 1.0
    """How often the governance log is read."""

    @field_validator("notary_url")
    @classmethod
    def _notary_url(cls, value: str) -> str:
        return http_url(value)

    @field_validator("partitions")
    @classmethod
    def _partitions(cls, value: str) -> str:
        if value not in ("group", "all") and not all(part.strip().isdecimal() for part in value.split(",")):
            raise ValueError("must be group, all, or numbers separated by commas")
        return value

    def log_part(self, name: str) -> str:
        """Return the address of one of the logs: `decisions` or `governance`."""
        return f"{self.log_url.rstrip('/')}/{name}"

    def model_path(self, digest: bytes) -> Path:
        """Return where a model's file lies."""
        return self.models_dir / f"{digest.hex()}.json"

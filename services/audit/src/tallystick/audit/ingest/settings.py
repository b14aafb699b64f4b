"""Ingest's settings, `TALLYSTICK_<NAME>` in the environment."""

from typing import Annotated

from pydantic import Field

from tallystick.runtime.retention import RetentionSettings
from tallystick.runtime.settings import DatabaseSettings, HttpSettings, KafkaSettings, Seconds, TopicName


class IngestSettings(KafkaSettings, DatabaseSettings, HttpSettings, RetentionSettings):
    """What the ingest needs to know; its HTTP serves health and metrics only. It keeps to `evidence_retention_s`."""

    evidence_topic: TopicName = "evidence"
    governance_topic: TopicName = "governance"
    """Where digests over the records of accesses to evidence go."""
    access_digest_s: Annotated[Seconds, Field(le=3600)] = 60.0
    """How often one is taken, if anybody was shown anything."""
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 20_000
    """Records written in one database transaction at the most."""

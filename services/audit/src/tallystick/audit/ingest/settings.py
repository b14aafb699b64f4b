"""Ingest's settings, `TALLYSTICK_<NAME>` in the environment."""

from typing import Annotated

from pydantic import Field

from tallystick.runtime.settings import DatabaseSettings, HttpSettings, KafkaSettings, TopicName


class IngestSettings(KafkaSettings, DatabaseSettings, HttpSettings):
    """What the ingest needs to know; its HTTP serves health and metrics only."""

    evidence_topic: TopicName = "evidence"
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 20_000
    """Records written in one database transaction at the most."""

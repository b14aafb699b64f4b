"""Scoring's settings."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from tallystick.runtime.retention import SnapshotRetention
from tallystick.runtime.settings import (
    BucketUrl,
    DatabaseSettings,
    Directory,
    HttpSettings,
    HttpUrl,
    KafkaSettings,
    LogUrl,
    PathName,
    S3Settings,
    Seconds,
    Text,
    TopicName,
    VaultSettings,
)

PollSeconds = Annotated[Seconds, Field(le=10)]  # well below health's `max_silence_s`


class ScoringSettings(KafkaSettings, VaultSettings, DatabaseSettings, S3Settings, HttpSettings, SnapshotRetention):
    """What scoring needs to know, from `TALLYSTICK_*`; its database is that of the customers' keys."""

    trust_policy: Directory
    """The trust policy's folder: whose signatures count, and what the topics look like."""
    log_url: LogUrl
    """Where the logs are read: file:///directory, http(s)://prefix or s3://bucket/prefix; each is below it, by its name."""
    models_dir: Directory
    """Where the models' files lie, as `<SHA-256>.json`, and those of policies' lists, as `<SHA-256>.list`."""
    notary_url: HttpUrl
    """Where the notary answers how far it has logged a partition."""
    source_topic: TopicName = "transactions"
    partitions: Text = "group"
    """`group`: as a Kafka consumer group divides them; `all`; or a list such as `0,1,5`."""
    group_id: Text = "tallystick-scoring"
    """The consumer group, and the beginning of the transactional ids: processes that share partitions must share it."""
    processing_guarantee: Literal["exactly_once", "at_least_once"] | None = None
    """How decisions reach Kafka; unless set, exactly once where the brokers have transactions."""
    transaction_timeout_s: Annotated[Seconds, Field(ge=1, le=900)] = 10.0
    """How long a transaction may be open before the brokers give it up: so long may a frozen process hold up the notary."""
    batch_records: Annotated[int, Field(ge=1, le=20_000)] = 2_000
    """Records scored at once at the most."""
    coverage_decisions: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Decisions that may be ahead of the log."""
    coverage_age_s: Annotated[Seconds, Field(le=3600)] = 10.0
    """How long a decision may be ahead of the log."""
    poll_log_s: PollSeconds = 0.1
    """How often the decisions' log is followed."""
    poll_governance_s: PollSeconds = 1.0
    """How often the governance log is read."""

    snapshot_dir: PathName | None = None
    """Where snapshots of the customers' histories go, so that a restart need not replay a month; made if there is none. Each
    machine may have its own. They hold personal data."""
    snapshot_store: BucketUrl | None = None
    """In place of the directory: an S3-compatible store, s3://bucket/prefix."""
    snapshot_every_s: Annotated[Seconds, Field(ge=1, le=86_400)] = 600.0
    """How old a partition's newest snapshot may get while there are transactions."""
    snapshot_every_records: Annotated[int, Field(ge=1, le=1_000_000_000)] = 2_000_000
    """After how many records there is another one, however soon."""
    profiles_wait_s: Annotated[Seconds, Field(le=30)] = 1.0
    """How long a batch waits for profiles to be final, where the model asks for any; then it is decided, and marked."""

    @field_validator("partitions")
    @classmethod
    def _partitions(cls, value: str) -> str:
        if value not in ("group", "all") and not all(part.strip().isdecimal() for part in value.split(",")):
            raise ValueError("must be group, all, or numbers separated by commas")
        return value

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.poll_log_s >= self.coverage_age_s:
            raise ValueError("TALLYSTICK_POLL_LOG_S: must be under TALLYSTICK_COVERAGE_AGE_S, or nothing is covered in time")
        return self

    @model_validator(mode="after")
    def _snapshots(self) -> Self:
        if self.snapshot_store is not None:
            if self.snapshot_dir is not None:
                raise ValueError("TALLYSTICK_SNAPSHOT_DIR: must not be set together with TALLYSTICK_SNAPSHOT_STORE")
            if self.s3_access_key_id is None:
                raise ValueError("TALLYSTICK_S3_ACCESS_KEY_ID: must be set together with TALLYSTICK_SNAPSHOT_STORE")
        if self.snapshot_max_age_s < 2 * self.snapshot_every_s:
            raise ValueError("TALLYSTICK_SNAPSHOT_MAX_AGE_S: must be twice TALLYSTICK_SNAPSHOT_EVERY_S, or none may be left")
        return self

    def log_part(self, name: str) -> str:
        """Return the address of the log of this name."""
        return f"{self.log_url}/{name}"

    def model_path(self, digest: bytes) -> Path:
        """Return where a model's file lies."""
        return self.models_dir / f"{digest.hex()}.json"

    def list_path(self, digest: bytes) -> Path:
        """Return where a list's file lies."""
        return self.models_dir / f"{digest.hex()}.list"

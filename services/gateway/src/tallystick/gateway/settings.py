"""The gateway's settings, `TALLYSTICK_<NAME>` in the environment."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tallystick.gateway.callers import Callers, CallersError
from tallystick.runtime.settings import (
    AuthoritiesFile,
    DatabaseSettings,
    Directory,
    ExistingFile,
    HttpSettings,
    HttpUrl,
    KafkaSettings,
    PathName,
    Seconds,
    SecretFile,
    TopicName,
    read_secret,
)

Fallback = Literal["approve", "review", "decline", "none"]
Milliseconds = Annotated[int, Field(ge=1, le=60_000)]
_CHANNEL = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


class GatewaySettings(KafkaSettings, DatabaseSettings, HttpSettings):
    """What `tallystick-gateway` needs to know."""

    trust_policy: Directory
    """The trust policy's folder, which says how many partitions the input has and how keys are divided among them."""
    spool_dir: PathName
    """Where answers wait that were given without a decision: a disk of its own that outlives the process. One process each."""
    callers_file: SecretFile | None = None
    """A line `channel token` for each caller; several tokens of one channel are several lines."""
    http_cert_file: ExistingFile | None = None
    http_key_file: SecretFile | None = None
    http_client_ca_file: AuthoritiesFile | None = None
    """Callers must show a certificate of one of these authorities; without a token, its common name is the channel."""
    fallback: Mapping[str, Fallback] = {}
    """JSON: by channel, what is answered when there is no decision in time; `none` is no answer but an error."""
    fallback_default: Fallback = "none"
    """The same for channels that are not named."""
    audit_url: HttpUrl | None = None
    """Where callers find proofs, for the answers' `proof_url`; the audit service as they see it."""
    source_topic: TopicName = "transactions"
    deadline_ms: Milliseconds = 1_000
    """How long a decision is waited for, if the request does not say."""
    deadline_min_ms: Milliseconds = 20
    deadline_max_ms: Milliseconds = 10_000
    """What a request may ask for."""
    silent_after_ms: Milliseconds = 3_000
    """When nothing sent to a partition has been decided for so long, its requests are answered without waiting."""
    max_in_flight: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    """Requests at once; more are told to come later."""
    max_lag_records: Annotated[int, Field(ge=1, le=100_000_000)] = 20_000
    """How far a partition's decisions may be behind what was sent to it, before requests are told to come later."""
    max_body_bytes: Annotated[int, Field(ge=1_000, le=10_000_000)] = 1_000_000
    max_payments: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Transactions in one ISO 20022 message."""
    iso_utc_offset: Annotated[str, Field(pattern=r"^[+-](0[0-9]|1[0-3]):[0-5][0-9]$")] = "+00:00"
    """Of ISO 20022 times that say none."""
    keep_keys_days: Annotated[int, Field(ge=31, le=3_650)] = 35
    """How long idempotency keys are remembered; scoring refuses an id that it has seen within 30 days."""
    spool_max_bytes: Annotated[int, Field(ge=100_000, le=100_000_000_000)] = 1_000_000_000
    body_timeout_s: Annotated[Seconds, Field(le=60)] = 5.0
    """How long a request's body may take to arrive."""

    @model_validator(mode="after")
    def _deadlines(self) -> Self:
        if not self.deadline_min_ms <= self.deadline_ms <= self.deadline_max_ms:
            raise ValueError(
                "TALLYSTICK_DEADLINE_MS: must lie between TALLYSTICK_DEADLINE_MIN_MS and TALLYSTICK_DEADLINE_MAX_MS"
            )
        return self

    @model_validator(mode="after")
    def _tls(self) -> Self:
        if (self.http_cert_file is None) != (self.http_key_file is None):
            raise ValueError("TALLYSTICK_HTTP_CERT_FILE: must be set together with TALLYSTICK_HTTP_KEY_FILE")
        if self.http_client_ca_file is not None and self.http_cert_file is None:
            raise ValueError("TALLYSTICK_HTTP_CLIENT_CA_FILE: needs TALLYSTICK_HTTP_CERT_FILE, or there is no TLS")
        if self.http_client_ca_file is None and self.callers_file is None:
            raise ValueError("TALLYSTICK_CALLERS_FILE: must be set, or TALLYSTICK_HTTP_CLIENT_CA_FILE: nobody could call")
        return self

    @model_validator(mode="after")
    def _channels(self) -> Self:
        for channel in self.fallback:
            if not _CHANNEL.fullmatch(channel):
                raise ValueError(
                    f"TALLYSTICK_FALLBACK: {channel!r} is no channel's name: up to 64 of a-z, 0-9, '-', '_' and '.'"
                )
        if self.callers_file is not None:
            try:
                known = Callers.parse(read_secret(self.callers_file)).channels
            except CallersError as error:
                raise ValueError(f"TALLYSTICK_CALLERS_FILE: {error}") from error
            # A name mistyped here would have its channel fail in another way than the bank has decided.
            if self.http_client_ca_file is None and (unknown := self.fallback.keys() - known):
                raise ValueError(f"TALLYSTICK_FALLBACK: TALLYSTICK_CALLERS_FILE has no channel {min(unknown)!r}")
        return self

    @property
    def iso_utc_offset_minutes(self) -> int:
        """`iso_utc_offset` in minutes."""
        sign, hours, minutes = self.iso_utc_offset[0], self.iso_utc_offset[1:3], self.iso_utc_offset[4:]
        return (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)

    def fallback_of(self, channel: str) -> Fallback:
        """Return what a channel is answered when there is no decision in time."""
        return self.fallback.get(channel, self.fallback_default)

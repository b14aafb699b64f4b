"""The notary's settings, from the environment (`TALLYSTICK_...`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from tallystick.merkle.keys import VerifierKey
from tallystick.merkle.policy import Group, LogPolicy
from tallystick.runtime.settings import (
    BucketUrl,
    DatabaseSettings,
    Directory,
    ExistingFile,
    HttpSettings,
    HttpUrl,
    KafkaSettings,
    PathName,
    S3Settings,
    Seconds,
    Text,
    TopicName,
    VaultSettings,
)
from tallystick.runtime.values import http_url


class NotarySettings(KafkaSettings, VaultSettings, DatabaseSettings, S3Settings, HttpSettings):
    """What `tallystick-notary` needs to know."""

    trust_policy: Directory
    """The trust policy's folder, which names the logs and gives each partition of the input to one of them."""
    logs: Text = "all"
    """Which logs this process writes: `all`, or names such as `decisions-0,governance`; each has one writer only."""
    log_dir: PathName | None = None
    """Where the public files go: `<log_dir>/<name>` for each log. This and `staging_dir`, or `log_store`."""
    staging_dir: PathName | None = None
    """Where staging objects go: on a disk as safe as the public one."""
    log_store: BucketUrl | None = None
    """In place of both directories: an S3-compatible store, `<log_store>/<name>` for each log."""
    source_topic: TopicName = "transactions"
    """The input topic whose decisions are logged."""
    linger_ms: Annotated[int, Field(ge=0, le=10_000)] = 50
    """The least time between two batches."""
    witness_policy: ExistingFile | None = None
    """The witnesses to ask, with their addresses, and the quorum without which nothing is published (C2SP tlog-policy); the
    trust policy's `log.policy` if none is given, whose witnesses and quorum it must have: only addresses may
    differ. With the quorum none nobody is asked, and a key of the notary's own says when the governance log was published."""
    witness_deadline_s: Annotated[Seconds, Field(le=60)] = 2.0
    """How long a quorum is waited for before the log says that it lacks one and tries again."""
    contract_urls: Mapping[str, HttpUrl] = {}
    """JSON: a node for each of the trust policy's contracts that is to be asked at the start for the largest head it knows."""
    contract_owners: Mapping[str, Annotated[str, Field(pattern="^0x[0-9a-fA-F]{40}$")]] = {}
    """JSON: the account that posts to each of these contracts. What anybody else posted there is only said, never a stop."""
    refresh_s: Annotated[Seconds, Field(le=60)] = 10.0
    """How often the governance log's checkpoint is cosigned anew though nothing changed."""

    @model_validator(mode="after")
    def _witnesses(self) -> Self:
        name = "TALLYSTICK_WITNESS_POLICY" if self.witness_policy else "TALLYSTICK_TRUST_POLICY"
        trusted = self.trust_policy / "log.policy"
        if self.witness_policy is None and not trusted.is_file():
            return self  # whoever loads the trust policy says so
        try:
            policy = self.read_witness_policy()
            for url in policy.witness_urls.values() if policy else ():
                http_url(url)
        except (OSError, ValueError) as error:
            raise ValueError(f"{name}: {error}") from error
        if policy and not policy.has_quorum(policy.witness_urls):
            raise ValueError(f"{name}: too few witnesses have an address to make the quorum {policy.quorum}")
        if self.witness_policy and trusted.is_file():
            try:
                same = _demands(self.witness_policy) == _demands(trusted)
            except (OSError, ValueError) as error:
                raise ValueError(f"TALLYSTICK_TRUST_POLICY: {trusted}: {error}") from error
            if not same:
                raise ValueError(
                    f"{name}: its witnesses, groups and quorum must be those of {trusted}, addresses apart: whoever verifies"
                    " the log asks for what that file says"
                )
        return self

    def read_witness_policy(self) -> LogPolicy | None:
        """Return the witnesses' policy, None if no quorum is asked for. Raises OSError, PolicyError."""
        policy = LogPolicy.parse((self.witness_policy or self.trust_policy / "log.policy").read_bytes())
        return policy if policy.quorum is not None else None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.log_store is None:
            for name in ("LOG_DIR", "STAGING_DIR"):
                if getattr(self, name.lower()) is None:
                    raise ValueError(f"TALLYSTICK_{name}: must be set, or TALLYSTICK_LOG_STORE in place of both directories")
            return self
        for name in ("LOG_DIR", "STAGING_DIR"):
            if getattr(self, name.lower()) is not None:
                raise ValueError(f"TALLYSTICK_{name}: must not be set together with TALLYSTICK_LOG_STORE: a log has one place")
        if self.s3_access_key_id is None:
            raise ValueError("TALLYSTICK_S3_ACCESS_KEY_ID: must be set together with TALLYSTICK_LOG_STORE")
        return self

    @model_validator(mode="after")
    def _directories(self) -> Self:
        if self.log_dir is None or self.staging_dir is None:
            return self
        public, staging = self.log_dir.resolve(), self.staging_dir.resolve()
        if public.is_relative_to(staging) or staging.is_relative_to(public):
            # What staging holds is deleted, and what the log directory holds is public.
            raise ValueError("TALLYSTICK_STAGING_DIR: must lie outside of TALLYSTICK_LOG_DIR, and the other way round")
        return self


def _demands(path: Path) -> tuple[Mapping[str, VerifierKey], frozenset[Group], str | None]:
    policy = LogPolicy.parse(path.read_bytes())
    return policy.witnesses, frozenset(policy.groups), policy.quorum

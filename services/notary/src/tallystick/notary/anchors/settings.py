"""The settings of `tallystick-anchor`, from the environment (`TALLYSTICK_...`)."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from tallystick.runtime.settings import Directory, HttpSettings, HttpUrl, LogUrl, S3Settings, Seconds, SecretFile


class AnchorSettings(S3Settings, HttpSettings):
    """What `tallystick-anchor` needs to know."""

    log_url: LogUrl
    """Where the logs are read, and receipts kept beside them: file:///directory or s3://bucket/prefix; each log is below it."""
    trust_policy: Directory
    """The trust policy's folder: the logs' keys, and who anchors, pinned."""
    timestamp_urls: Mapping[str, HttpUrl] = {}
    """JSON: the address of each of the trust policy's time-stamp authorities that is to be asked, by name."""
    contract_urls: Mapping[str, HttpUrl] = {}
    """JSON: the address of a node for each of the trust policy's contracts that is to be posted to, by name."""
    account_key_file: SecretFile | None = None
    """Holds the private key, in hex, of the account that posts to contracts and pays for it."""
    interval_s: Annotated[Seconds, Field(le=86_400)] = 60.0
    """The time between two anchors."""
    confirmations: Annotated[int, Field(ge=1, le=10_000)] = 12
    """How many blocks make a transaction count, its own included."""
    stuck_after_s: Annotated[Seconds, Field(le=86_400)] = 180.0
    """How long a transaction may wait before it is sent again with greater fees."""
    max_fee_gwei: Annotated[float, Field(gt=0, le=1_000_000)] = 100.0
    """The most to pay for a unit of gas."""

    @model_validator(mode="after")
    def _writable(self) -> Self:
        if not self.log_url.startswith(("file:", "s3:")):
            raise ValueError("TALLYSTICK_LOG_URL: must be file:///directory or s3://bucket/prefix: receipts are kept there")
        return self

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.timestamp_urls and not self.contract_urls:
            raise ValueError("TALLYSTICK_TIMESTAMP_URLS: name an authority here, or a contract in TALLYSTICK_CONTRACT_URLS")
        if self.contract_urls and self.account_key_file is None:
            raise ValueError("TALLYSTICK_ACCOUNT_KEY_FILE: must be set, for TALLYSTICK_CONTRACT_URLS is")
        return self

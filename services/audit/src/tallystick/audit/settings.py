"""The API's settings, `TALLYSTICK_<NAME>` in the environment."""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from tallystick.audit.buckets import Rate
from tallystick.audit.tokens import Terms
from tallystick.runtime.retention import RetentionSettings
from tallystick.runtime.settings import (
    AuthoritiesFile,
    DatabaseSettings,
    Directory,
    HttpSettings,
    LogUrl,
    PostgresqlUrl,
    S3Settings,
    Text,
    TopicName,
    VaultSettings,
)
from tallystick.runtime.values import http_url


def trusted_url(value: str) -> str:
    """Return an address whose answers can be believed, as it is: over TLS, or on this machine. Raises ValueError."""
    http_url(value)
    parts = urlsplit(value)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise ValueError("must be https://…: whoever can change its answers on the way could make tokens (http:// on loopback)")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


RequestsPerSecond = Annotated[float, Field(ge=0, le=1e6)]
Burst = Annotated[float, Field(ge=1, le=1e6)]
TrustedUrl = Annotated[Text, AfterValidator(trusted_url)]


class AuditSettings(VaultSettings, DatabaseSettings, S3Settings, HttpSettings, RetentionSettings):
    """What the API needs to know; the retention periods say when an erasure takes effect."""

    keys_url: PostgresqlUrl = "postgresql://127.0.0.1:5432/tallystick_keys"
    """The database of the customers' keys; the password is that of the other one."""

    log_url: LogUrl
    """Where the logs are read: file:///directory, http(s)://prefix or s3://bucket/prefix; each is below it, by its name."""
    cache_bytes: Annotated[int, Field(ge=2**20, le=2**38)] = 512 * 2**20
    """How much memory the logs' tiles may take; the hash tiles of ten million entries and what hangs on them take 360 MB."""
    models_dir: Directory
    """Where the models' files lie, as `<SHA-256>.json`."""
    trust_policy: Directory
    """The trust policy's folder, which names the logs' origins and keys."""
    source_topic: TopicName = "transactions"
    """The input topic whose decisions are asked for."""
    oidc_issuer: TrustedUrl | None = None
    """Whose tokens open what is not for everybody, exactly as they name it (`iss`); without one that is closed to all."""
    oidc_audience: Text = "tallystick-audit"
    """What tokens for this service name as their audience (`aud`)."""
    oidc_jwks_url: TrustedUrl | None = None
    """Where the issuer's keys are; by default its discovery document says so."""
    oidc_ca_file: AuthoritiesFile | None = None
    """The authorities that vouch for the issuer's servers; by default the system's."""
    oidc_scope_claim: Text = "scope"
    oidc_customer_claim: Text = "customer_id"
    """Which claim says which customer it is, as transactions name it (`customer_id`)."""
    oidc_leeway_s: Annotated[float, Field(ge=0, le=300)] = 30.0
    """By how much the issuer's clock may be off."""

    address_rate: RequestsPerSecond = 500.0
    """How many requests a second one address may make, for as long as it likes; 0: any number."""
    address_burst: Burst = 5_000.0
    """And how many at once."""
    caller_rate: RequestsPerSecond = 200.0
    """The same for each token's subject. A batch counts as one request for every hundred receipts."""
    caller_burst: Burst = 2_000.0
    proxies: str = ""
    """Addresses of proxies, separated by commas, whose `X-Forwarded-For` says who asks."""

    @property
    def rates(self) -> tuple[Rate, Rate]:
        """How often one address, and one caller, may ask."""
        return Rate(self.address_rate, self.address_burst), Rate(self.caller_rate, self.caller_burst)

    @property
    def keys_database(self) -> DatabaseSettings:
        """Return how the database of the customers' keys is reached."""
        return DatabaseSettings(database_url=self.keys_url, database_password_file=self.database_password_file)

    def log_part(self, name: str) -> str:
        """Return the address of the log of this name."""
        return f"{self.log_url}/{name}"

    def terms(self, issuer: str) -> Terms:
        """Return what tokens of the issuer must say."""
        return Terms(issuer, self.oidc_audience, self.oidc_scope_claim, self.oidc_customer_claim, self.oidc_leeway_s)

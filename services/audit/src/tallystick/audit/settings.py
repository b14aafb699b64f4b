"""The API's settings, `TALLYSTICK_<NAME>` in the environment."""

from tallystick.runtime.settings import (
    DatabaseSettings,
    Directory,
    HttpSettings,
    LogUrl,
    S3Settings,
    SecretFile,
    TopicName,
    VaultSettings,
)


class AuditSettings(VaultSettings, DatabaseSettings, S3Settings, HttpSettings):
    """What the API needs to know."""

    log_url: LogUrl
    """Where the logs are read: file:///directory, http(s)://prefix or s3://bucket/prefix; each is below it, by its name."""
    models_dir: Directory
    """Where the models' files lie, as `<SHA-256>.json`."""
    trust_policy: Directory
    """The trust policy's folder, which names the logs' origins and keys."""
    source_topic: TopicName = "transactions"
    """The input topic whose decisions are asked for."""
    evidence_token_file: SecretFile | None = None
    """Holds the bearer token of authorised readers; without it what needs it (see `api.access`) is served to nobody."""

    def log_part(self, name: str) -> str:
        """Return the address of the log of this name."""
        return f"{self.log_url}/{name}"

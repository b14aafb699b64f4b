"""The API's settings, `TALLYSTICK_<NAME>` in the environment."""

from urllib.parse import urlsplit

from pydantic import DirectoryPath, FilePath, field_validator

from tallystick.runtime.settings import DatabaseSettings, HttpSettings, Text, VaultSettings


class AuditSettings(VaultSettings, DatabaseSettings, HttpSettings):
    """What the API needs to know."""

    log_url: Text
    """Where both logs are read: file:///directory or http(s)://prefix, with `decisions` and `governance` below it."""
    models_dir: DirectoryPath
    """Where the models' files lie, as `<SHA-256>.json`."""
    trust_policy: DirectoryPath
    """The trust policy's folder, which names the logs' origins and keys."""
    source_topic: Text = "transactions"
    """The input topic whose decisions are asked for."""
    evidence_token_file: FilePath | None = None
    """Holds the bearer token that opens evidence; without it no evidence is served to anybody."""

    @field_validator("log_url")
    @classmethod
    def _log_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if not (parts.scheme == "file" and parts.path.startswith("/")) and not (
            parts.scheme in ("http", "https") and parts.hostname
        ):
            raise ValueError("must be file:///directory or http(s)://host/prefix")
        return value.rstrip("/")

    def log_part(self, name: str) -> str:
        """Return the address of one of the logs: `decisions` or `governance`."""
        return f"{self.log_url}/{name}"

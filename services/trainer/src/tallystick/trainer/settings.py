"""The trainer's settings, from the environment."""

from pydantic import field_validator

from tallystick.runtime.settings import KafkaSettings, Text


class TrainerSettings(KafkaSettings):
    """What `publish` needs."""

    models_url: Text

    @field_validator("models_url")
    @classmethod
    def _folder(cls, value: str) -> str:
        if not value.startswith("file:///"):
            raise ValueError("must be file:///folder")
        return value

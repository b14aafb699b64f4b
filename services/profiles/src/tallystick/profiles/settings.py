"""The settings of profiles."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tallystick.profiles.progress import Lateness
from tallystick.runtime.settings import HttpSettings, KafkaSettings, Seconds, Text, TopicName
from tallystick.trust.profiles.subject import DAY_S, Rule


class ProfilesSettings(KafkaSettings, HttpSettings):
    """What profiles need to know, from `TALLYSTICK_*`."""

    source_topic: TopicName = "transactions"
    labels_topic: TopicName = "labels"
    group_id: Text = "tallystick-profiles"
    label_delay_days: Annotated[int, Field(ge=2, le=90)] = 7
    """How long labels take: windows end that much before the event time. It never changes for a topic `profiles`."""
    label_lead_s: Annotated[Seconds, Field(le=7 * DAY_S)] = 3600.0
    """How long after its verdict a label counts that came too late for its transaction; so far ahead the watermark may be."""
    label_lateness_s: Annotated[Seconds, Field(le=7 * DAY_S)] = 600.0
    """How long labels take from their verdict into Kafka, at the most."""
    transaction_lateness_s: Annotated[Seconds, Field(le=7 * DAY_S)] = 86_400.0
    """How long transactions take from their event time into Kafka, at the most: the policy's tolerance."""
    late_days: Annotated[int, Field(ge=1, le=366)] = 14
    """For how long before the watermark event times are still answered."""
    gather_s: Annotated[Seconds, Field(le=10)] = 0.5
    """How often what came is handed on."""
    publish_s: Annotated[Seconds, Field(le=300)] = 5.0
    """How often profiles that changed are published."""

    @model_validator(mode="after")
    def _ahead(self) -> Self:
        if self.label_lateness_s >= self.label_lead_s:
            raise ValueError("TALLYSTICK_LABEL_LATENESS_S: must be under TALLYSTICK_LABEL_LEAD_S, or every profile is stale")
        if self.transaction_lateness_s >= self.label_delay_days * DAY_S:
            raise ValueError("TALLYSTICK_TRANSACTION_LATENESS_S: must be under TALLYSTICK_LABEL_DELAY_DAYS")
        return self

    @property
    def rule(self) -> Rule:
        """By what labels count."""
        return Rule(self.label_delay_days * DAY_S, int(self.label_lead_s), self.late_days * DAY_S)

    @property
    def lateness(self) -> Lateness:
        """How late records may come."""
        return Lateness(int(self.transaction_lateness_s), int(self.label_lateness_s))

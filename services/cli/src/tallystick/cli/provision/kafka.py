"""The topics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from tallystick.cli.provision.errors import ProvisionError
from tallystick.runtime.retention import SEGMENT_S, RetentionSettings

MAX_TRANSACTION_BYTES = 1_048_576
# A dead letter is a transaction's bytes as they came, with the reason beside them.
MAX_DEAD_LETTER_BYTES = 2 * MAX_TRANSACTION_BYTES
# Activations take effect by records' time stamps, and a partition keeps what it has switched to: one forged time stamp of next
# year would bring every activation of that year into force at once. Brokers refuse it (Apache Kafka 3.6 and later).
MAX_AHEAD_MS = 3_600_000
# A busy terminal's profile has two months by the minute, and an update what a moment brought.
MAX_PROFILE_BYTES = 8 * 1_048_576
_CREATE_TIMEOUT_MS = 30_000
_RETAINING = ("cleanup.policy", "retention.ms", "segment.ms")
_FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic with its partition count, for good, and its settings."""

    name: str
    partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)


def topics(
    partitions: int, input_topic: str = "transactions", retention: RetentionSettings | None = None
) -> tuple[TopicPlan, ...]:
    """Return all topics; the input's partition count is also that of what follows it record by record.

    `retention` says how long what ends is kept. A segment is deleted whole, so that none may be written for long.
    """
    kept_s = (retention or RetentionSettings()).input_retention_s
    kept = {
        "cleanup.policy": "delete",
        "retention.ms": str(round(kept_s * 1000)),
        "segment.ms": str(round(min(SEGMENT_S, kept_s) * 1000)),
    }
    bounded = {"max.message.bytes": str(MAX_TRANSACTION_BYTES), "message.timestamp.after.max.ms": str(MAX_AHEAD_MS)}
    # Brokers unpack every batch, and bound what comes out: a few compressed bytes cannot fill the notary's memory.
    plain = {"compression.type": "uncompressed"}
    return (
        TopicPlan(input_topic, partitions, kept | bounded),
        TopicPlan("decisions", partitions, kept | plain),
        TopicPlan("evidence", partitions, kept | {"max.message.bytes": str(MAX_DEAD_LETTER_BYTES)}),
        TopicPlan("dead-letter", partitions, kept | {"max.message.bytes": str(MAX_DEAD_LETTER_BYTES)}),
        TopicPlan("labels", partitions, kept),
        TopicPlan("profile-updates", partitions, kept | {"max.message.bytes": str(MAX_PROFILE_BYTES)}),
        TopicPlan("profiles", partitions, {"cleanup.policy": "compact", "max.message.bytes": str(MAX_PROFILE_BYTES)}),
        TopicPlan("governance", 1, _FOR_EVER | plain),
        TopicPlan("fallbacks", 1, _FOR_EVER | plain),
        TopicPlan("checkpoints", 1, kept),
        TopicPlan("seals", 1, _FOR_EVER),
    )


async def provision_kafka(client_options: Mapping[str, Any], plans: Sequence[TopicPlan], replication: int = 1) -> list[str]:
    """Create the topics that do not exist and return their names; check partition counts and retention of those that do.

    `client_options` are aiokafka's (`bootstrap_servers`, security). With three replicas or more, a record counts as written
    once two have it.

    Raises:
        ProvisionError: A topic exists with another partition count or retention, or the broker refuses one.
        KafkaError: The brokers do not answer.
    """
    admin = AIOKafkaAdminClient(**client_options)
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = [plan for plan in plans if plan.name not in existing]
        if missing:
            durable = {"min.insync.replicas": "2"} if replication >= 3 else {}
            new = [
                NewTopic(plan.name, plan.partitions, replication, topic_configs={**durable, **plan.settings})
                for plan in missing
            ]
            _check_created(await admin.create_topics(new, timeout_ms=_CREATE_TIMEOUT_MS))
        present = [plan for plan in plans if plan.name in existing]
        if present:
            _check_counts(await admin.describe_topics([plan.name for plan in present]), present)
            await _check_retention(admin, present)
    finally:
        await admin.close()
    return [plan.name for plan in missing]


def _check_created(response: Any) -> None:
    for name, code, *_ in response.topic_errors:
        error = for_code(code)
        # Existing now: another provisioner ran at the same time, with the same plan.
        if error not in (NoError, TopicAlreadyExistsError):
            raise ProvisionError(f"Kafka refuses to create the topic {name}: {error.__name__} ({error.description})")


def _check_counts(described: Sequence[Mapping[str, Any]], plans: Sequence[TopicPlan]) -> None:
    counts = {topic["topic"]: len(topic["partitions"]) for topic in described}
    for plan in plans:
        if counts.get(plan.name) != plan.partitions:
            raise ProvisionError(
                f"the topic {plan.name} has {counts.get(plan.name)} partitions, not {plan.partitions}: partition counts never"
                " change; provision with the count that is there, or use new topics"
            )


async def _check_retention(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> None:
    """Raise if a topic keeps its records for another time than planned: erasures would promise what is not kept."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, plan.name) for plan in plans]  # Tansu hangs up on names of settings
    said: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for _, _, _, name, entries in answer.resources:
            said[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    for plan in plans:
        known = said.get(plan.name, {})
        wrong = {
            name: known[name]
            for name, planned in plan.settings.items()
            if name in _RETAINING and known.get(name, planned) != planned
        }
        if wrong:
            wanted = ",".join(f"{name}={plan.settings[name]}" for name in wrong)
            found = ", ".join(f"{name}={value}" for name, value in wrong.items())
            raise ProvisionError(
                f"the topic {plan.name} has {found}, and erasures promise"
                f" {wanted}: set TALLYSTICK_INPUT_RETENTION_S to what is meant, everywhere, or alter the topic"
                f" (kafka-configs.sh --alter --entity-type topics --entity-name {plan.name} --add-config {wanted})"
            )

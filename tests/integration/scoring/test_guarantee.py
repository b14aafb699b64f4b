"""Exactly once, or at least once: as set, or else as the brokers can."""

import secrets

import pytest

from tallystick.embedded import ApacheKafka
from tallystick.runtime.health import Health
from tallystick.runtime.settings import SettingError
from tallystick.scoring.guarantee import is_exactly_once
from tallystick.scoring.settings import ScoringSettings

from ..stack import ProvisionedStack


def _settings(bootstrap: str, guarantee: str | None) -> ScoringSettings:
    group = f"test-{secrets.token_hex(4)}"
    return ScoringSettings.model_construct(
        kafka_bootstrap=bootstrap, processing_guarantee=guarantee, group_id=group, source_topic="transactions"
    )


@pytest.mark.parametrize(("wanted", "expected"), [(None, True), ("exactly_once", True), ("at_least_once", False)])
async def test_where_there_are_transactions_they_are_used_unless_told_otherwise(
    apache_kafka: ApacheKafka, wanted: str | None, expected: bool
) -> None:
    """Nobody has to set anything for exactly once on Apache Kafka; health says which it is."""
    health = Health("test", components=["kafka"])
    assert await is_exactly_once(_settings(apache_kafka.bootstrap, wanted), health) is expected


async def test_where_there_are_none_exactly_once_is_refused_and_not_weakened(stack: ProvisionedStack) -> None:
    """On the embedded broker: at least once when nothing is set, and a refusal that says what to do when it was asked for."""
    bootstrap, health = stack.servers.kafka.address, Health("test", components=["kafka"])
    assert not await is_exactly_once(_settings(bootstrap, None), health)
    with pytest.raises(SettingError, match=r"TALLYSTICK_PROCESSING_GUARANTEE: .* have no transactions.*take at_least_once"):
        await is_exactly_once(_settings(bootstrap, "exactly_once"), health)

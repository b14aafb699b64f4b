"""How often a decision reaches Kafka: exactly once, or at least once where the brokers have no transactions."""

from aiokafka.errors import TransactionalIdAuthorizationFailed

from tallystick.runtime.health import Health
from tallystick.runtime.settings import SettingError
from tallystick.runtime.transactions import has_transactions
from tallystick.scoring.settings import ScoringSettings


def transactional_id(settings: ScoringSettings, partition: int) -> str:
    """Return the name under which an input partition is written: whoever starts a transactor by it fences the one before."""
    return f"{settings.group_id}-{settings.source_topic}-{partition}"


async def is_exactly_once(settings: ScoringSettings, health: Health) -> bool:
    """Tell whether to score exactly once, as set or else as the brokers can, and say it in health.

    Raises:
        SettingError: if it is to be exactly once and the brokers have no transactions, or do not allow them.
        KafkaError: if they do not answer; try again.
    """
    wanted = settings.processing_guarantee
    exactly_once = wanted != "at_least_once" and await _can(settings)
    if wanted == "exactly_once" and not exactly_once:
        raise SettingError(
            "processing_guarantee",
            f"the brokers at {settings.kafka_bootstrap} have no transactions: exactly_once is not to be had there;"
            " take at_least_once, or a broker with transactions (Apache Kafka)",
        )
    health.detail("processing_guarantee", lambda: "exactly_once" if exactly_once else "at_least_once")
    return exactly_once


async def _can(settings: ScoringSettings) -> bool:
    prefix = f"{settings.group_id}-{settings.source_topic}-"
    try:
        return await has_transactions(settings, f"{prefix}trial")
    except TransactionalIdAuthorizationFailed as error:
        raise SettingError(
            "kafka_username",
            f"the brokers do not allow it transactional ids that begin with {prefix}: grant Write and Describe on them,"
            " or set TALLYSTICK_PROCESSING_GUARANTEE=at_least_once",
        ) from error

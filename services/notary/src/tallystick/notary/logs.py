"""Which logs there are, by the trust policy, and which of them this process writes. Pure."""

from dataclasses import dataclass

from tallystick.trust.policy import TrustPolicy, log_name

GOVERNANCE = "governance"
FALLBACKS = "fallbacks"
SEALS = "seals"
DECISIONS = "decisions"
ALL = "all"


class LogChoiceError(ValueError):
    """The settings and the trust policy do not say which logs to write."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log: its name (also its directory's), its origin, its topic in Kafka, and which of that one's partitions it holds."""

    name: str
    origin: str
    topic: str
    partitions: frozenset[int]

    @property
    def signing_key(self) -> str:
        """The name of its key in Vault."""
        return f"notary-{self.name}"

    @property
    def receipt_key(self) -> str:
        """The name in Vault of the key that signs its heads for COSE receipts, and nothing else."""
        return f"notary-receipts-{self.name}"

    @property
    def input_partitions(self) -> frozenset[int]:
        """The partitions of the input topic whose decisions it holds; a decision has its transaction's partition."""
        return self.partitions if self.topic == DECISIONS else frozenset()


def chosen(policy: TrustPolicy, source_topic: str, names: str) -> tuple[Log, ...]:
    """Return the logs to write: `all` of the trust policy's, or those in a list such as `decisions-0,governance`.

    Raises:
        LogChoiceError: the policy does not know the topic, or no log of one of these names; or one is named twice.
    """
    if source_topic not in policy.topics:
        known = ", ".join(sorted(policy.topics))
        raise LogChoiceError(f"the trust policy says nothing of the topic {source_topic}, only of {known}")
    topic = policy.topics[source_topic]
    decisions = [Log(log_name(origin), origin, DECISIONS, topic.of_log(origin)) for origin in policy.decisions_origins]
    governance = Log(log_name(policy.governance_origin), policy.governance_origin, GOVERNANCE, frozenset({0}))
    others = [governance]
    for origin, name in ((policy.fallbacks_origin, FALLBACKS), (policy.seals_origin, SEALS)):
        if origin is not None:
            others.append(Log(log_name(origin), origin, name, frozenset({0})))
    logs = {log.name: log for log in (*decisions, *others) if log.partitions}
    if names == ALL:
        return tuple(logs.values())
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in logs:
            raise LogChoiceError(f"the trust policy has no log {name!r} for the topic {source_topic}, only {', '.join(logs)}")
    if len(set(wanted)) < len(wanted):
        raise LogChoiceError("a log is named twice")
    return tuple(logs[name] for name in wanted)

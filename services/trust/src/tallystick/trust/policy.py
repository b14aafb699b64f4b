"""The trust policy: whom a verifier believes, and about what.

A folder of two files, both refused if they hold anything that is not understood:

- `log.policy` (C2SP tlog-policy): each log's key, the witnesses and the quorum. A log's keys are those
  whose name is its origin: several, where it changed its key.
- `trust.toml`:

      version = 1
      [logs]                       # what each log is for, by origin; one decisions log may be written as a string
      decisions = ["bank.example/decisions-0", "bank.example/decisions-1"]
      governance = "bank.example/governance"
      fallbacks = "bank.example/fallbacks"   # optional: answers that gateways gave without a decision
      seals = "bank.example/seals"           # if there are sealers: what they sealed
      [freshness]                  # how old the governance log's newest cosignatures may be
      max_age_s = 60
      witness = "notary-clock"     # optional: whose word counts; without it, the quorum's
      [topics.transactions]        # the input topics
      partitions = 4
      partitioner = "murmur2"
      logs = [0, 0, 1, 1]          # which of [logs].decisions holds each partition, for good; not needed if there is one
      [[signers]]                  # founders: who signs statements until the governance log enrols and revokes others
      name = "ada"
      public_key = "<base64 of 32 bytes>"
      roles = ["publisher", "approver"]
      [[receipt_keys]]             # whose COSE receipts count, if any
      origin = "bank.example/decisions"
      public_key = "<base64 of 32 bytes>"
  and, optional, who seals the input, each with a key that nobody else here has:

      [[sealers]]
      name = "s1"
      public_key = "<base64 of 32 bytes>"
  and, optional, who anchors: `[[timestamp_authorities]]` and `[[contracts]]`, as `anchors.pins` has them;
  and, optional, keys in log.policy that no longer speak for trees beyond a size:

      [[retired_keys]]
      origin = "bank.example/decisions"
      public_key = "<base64 of 32 bytes>"
      last_size = 1234567

A log's name is the part of its origin after the last "/": where it is kept, and what people call it. No two logs have the same.

One name and one key a signer: whoever signs under two names would be two people.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from tallystick.merkle.encoding import decode_base64
from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.merkle.policy import LogPolicy, VerifiedCheckpoint
from tallystick.merkle.signed_roots import ReceiptKey
from tallystick.trust.anchors.pins import Anchorer, parse_pins
from tallystick.trust.errors import TrustError
from tallystick.trust.statements import ROLES, Sealer, Signer
from tallystick.trust.strict_json import fields

MAX_POLICY_BYTES = 1_000_000
PARTITIONERS = frozenset({"murmur2"})
MAX_PARTITIONS = 100_000
_LOG_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


class TrustPolicyError(TrustError):
    """A trust policy cannot be read, or says what is not understood."""


@dataclass(frozen=True, slots=True)
class Topic:
    """An input topic: its number of partitions, for good, how keys become partitions, and by partition its log's origin."""

    partitions: int
    partitioner: str
    origins: tuple[str, ...]

    def of_log(self, origin: str) -> frozenset[int]:
        """Return the partitions whose decisions are in a log; a partition belongs to one log for ever."""
        return frozenset(partition for partition, name in enumerate(self.origins) if name == origin)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the word of those who say that the governance log is current may be, and who that is.

    `witness` is a name in `log.policy`, or None for the quorum.
    """

    witness: str | None
    max_age_s: int

    def time_s(self, verified: VerifiedCheckpoint) -> int | None:
        """Return when they last stood by a checkpoint, in seconds since 1970; None if they never did."""
        return verified.quorum_time_s if self.witness is None else verified.cosigned.get(self.witness)


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Whom a verifier believes; every verification takes one."""

    log_policy: LogPolicy
    decisions_origins: tuple[str, ...]
    governance_origin: str
    freshness: Freshness
    topics: Mapping[str, Topic]
    signers: tuple[Signer, ...]
    fallbacks_origin: str | None = None
    seals_origin: str | None = None
    sealers: tuple[Sealer, ...] = ()
    receipt_keys: tuple[ReceiptKey, ...] = ()
    anchorers: Mapping[str, Anchorer] = field(default_factory=dict)

    @property
    def origins(self) -> Mapping[str, str]:
        """All logs' origins by name: decisions, fallbacks and seals if there are any, the governance log."""
        return {log_name(origin): origin for origin in _origins(self)}

    def decisions_origin(self, topic: str, partition: int) -> str:
        """Return the origin of the log that holds the decisions on a partition of an input topic.

        Raises:
            TrustPolicyError: The policy does not know the topic, or the topic has no such partition.
        """
        if topic not in self.topics:
            raise TrustPolicyError(f"the topic {topic!r} is not in the trust policy")
        origins = self.topics[topic].origins
        if not 0 <= partition < len(origins):
            raise TrustPolicyError(f"partition {partition} is not one of the {len(origins)} of the topic {topic!r}")
        return origins[partition]

    @classmethod
    def parse(cls, log_policy: bytes, trust_toml: bytes) -> Self:
        """Read a trust policy from the bytes of its two files.

        Raises:
            TrustPolicyError: Either is not understood, or they do not fit each other.
        """
        try:
            logs = LogPolicy.parse(log_policy)
        except ValueError as error:
            raise TrustPolicyError(f"log.policy: {error}") from None
        try:
            policy = cls._from_toml(logs, _parse_toml(trust_toml))
            _check_together(policy)
        except ValueError as error:
            raise TrustPolicyError(f"trust.toml: {error}") from None
        return policy

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the trust policy in the folder `path`.

        Raises:
            TrustPolicyError: A file cannot be read, or is refused by `parse`.
        """
        return cls.parse(_read(path / "log.policy"), _read(path / "trust.toml"))

    @property
    def machine_keys(self) -> frozenset[bytes]:
        """The public keys of logs, witnesses and sealers and those of receipts, which are no person's."""
        keys = [*(key for key, _ in self.log_policy.logs), *self.log_policy.witnesses.values()]
        others = {key.public_key for key in self.receipt_keys} | {sealer.public_key for sealer in self.sealers}
        return frozenset(key.public_key for key in keys) | others

    @classmethod
    def _from_toml(cls, log_policy: LogPolicy, document: dict[str, Any]) -> Self:
        top = {"version": int, "logs": dict, "freshness": dict, "topics": dict, "signers": list}
        optional = dict.fromkeys(("receipt_keys", "sealers", "timestamp_authorities", "contracts", "retired_keys"), list)
        fields(document, "the file", top, optional)
        if document["version"] != 1:
            raise TrustPolicyError(f"version is {document['version']}; this program understands 1")
        logs = fields(
            document["logs"], "[logs]", {"decisions": (str, list), "governance": str}, {"fallbacks": str, "seals": str}
        )
        decisions = _parse_origins(logs["decisions"])
        freshness = fields(document["freshness"], "[freshness]", {"max_age_s": int}, {"witness": str})
        retired = dict(_parse_retired(item, place) for place, item in enumerate(document.get("retired_keys", []), start=1))
        return cls(
            log_policy=replace(log_policy, retired=MappingProxyType(retired)),
            decisions_origins=decisions,
            governance_origin=logs["governance"],
            fallbacks_origin=logs.get("fallbacks"),
            seals_origin=logs.get("seals"),
            sealers=tuple(_parse_sealer(item, place) for place, item in enumerate(document.get("sealers", []), start=1)),
            freshness=Freshness(freshness.get("witness"), freshness["max_age_s"]),
            topics={name: _parse_topic(name, topic, decisions) for name, topic in document["topics"].items()},
            signers=tuple(_parse_signer(item, place) for place, item in enumerate(document["signers"], start=1)),
            receipt_keys=tuple(
                _parse_receipt_key(item, place) for place, item in enumerate(document.get("receipt_keys", []), start=1)
            ),
            anchorers=parse_pins(document.get("timestamp_authorities", []), document.get("contracts", [])),
        )


def _origins(policy: TrustPolicy) -> tuple[str, ...]:
    others = (policy.fallbacks_origin, policy.seals_origin)
    return (*policy.decisions_origins, *(origin for origin in others if origin is not None), policy.governance_origin)


def log_name(origin: str) -> str:
    """Return a log's name: what follows the last "/" of its origin."""
    return origin.rpartition("/")[2]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TrustPolicyError(f"cannot read {path}: {error.strerror}") from None


def _parse_toml(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_POLICY_BYTES:
        raise TrustPolicyError(f"it has {len(data)} bytes, more than the {MAX_POLICY_BYTES} allowed")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise TrustPolicyError(f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise TrustPolicyError("its nesting is too deep") from None


def _parse_origins(value: str | list[Any]) -> tuple[str, ...]:
    origins = [value] if isinstance(value, str) else value
    if not origins or not all(isinstance(origin, str) for origin in origins):
        raise TrustPolicyError("[logs]: decisions must be an origin, or a list of one or more")
    return tuple(origins)


def _parse_topic(name: str, value: Any, decisions: tuple[str, ...]) -> Topic:
    where = f"[topics.{name}]"
    topic = fields(value, where, {"partitions": int, "partitioner": str}, {"logs": list})
    partitions = topic["partitions"]
    if not 1 <= partitions <= MAX_PARTITIONS:
        raise TrustPolicyError(f"{where}: partitions is {partitions}; it must be 1 to {MAX_PARTITIONS}")
    if topic["partitioner"] not in PARTITIONERS:
        raise TrustPolicyError(f"{where}: partitioner {topic['partitioner']!r} is not known; known: murmur2")
    if "logs" not in topic and len(decisions) > 1:
        raise TrustPolicyError(
            f"{where}: there are {len(decisions)} decisions logs, so logs must say which holds each partition"
        )
    logs = topic.get("logs", [0] * partitions)
    if len(logs) != partitions:
        raise TrustPolicyError(f"{where}: logs names the log of {len(logs)} partitions, and there are {partitions}")
    for partition, log in enumerate(logs):
        if type(log) is not int or not 0 <= log < len(decisions):
            raise TrustPolicyError(
                f"{where}: logs says {log!r} for partition {partition}; [logs].decisions counts from 0 to {len(decisions) - 1}"
            )
    return Topic(partitions, topic["partitioner"], tuple(decisions[log] for log in logs))


def _parse_signer(value: Any, place: int) -> Signer:
    where = f"signer {place}"
    signer = fields(value, where, {"name": str, "public_key": str, "roles": list})
    name, roles = signer["name"], signer["roles"]
    if not name or len(name) > 64 or not name.isprintable():
        raise TrustPolicyError(f"{where}: the name must be 1 to 64 printable characters")
    if not roles or not all(isinstance(role, str) and role in ROLES for role in roles) or len(set(roles)) != len(roles):
        raise TrustPolicyError(f"{where} ({name}): roles must be some of {', '.join(sorted(ROLES))}, each once")
    try:
        return Signer(name, decode_base64(signer["public_key"]), frozenset(roles))
    except ValueError as error:
        raise TrustPolicyError(f"{where} ({name}): public_key: {error}") from None


def _parse_sealer(value: Any, place: int) -> Sealer:
    where = f"sealer {place}"
    sealer = fields(value, where, {"name": str, "public_key": str})
    if not _LOG_NAME.fullmatch(sealer["name"]):
        raise TrustPolicyError(f"{where}: the name must be 1 to 64 of a-z, 0-9, '-', '_' and '.'")
    try:
        return Sealer(sealer["name"], decode_base64(sealer["public_key"]))
    except ValueError as error:
        raise TrustPolicyError(f"{where} ({sealer['name']}): public_key: {error}") from None


def _parse_receipt_key(value: Any, place: int) -> ReceiptKey:
    where = f"receipt key {place}"
    key = fields(value, where, {"origin": str, "public_key": str})
    try:
        return ReceiptKey(key["origin"], decode_base64(key["public_key"]))
    except ValueError as error:
        raise TrustPolicyError(f"{where}: {error}") from None


def _parse_retired(value: Any, place: int) -> tuple[VerifierKey, int]:
    where = f"retired key {place}"
    retired = fields(value, where, {"origin": str, "public_key": str, "last_size": int})
    if not 0 <= retired["last_size"] < 2**63:
        raise TrustPolicyError(f"{where}: last_size is out of range")
    try:
        return VerifierKey.make(retired["origin"], ED25519, decode_base64(retired["public_key"])), retired["last_size"]
    except ValueError as error:
        raise TrustPolicyError(f"{where}: {error}") from None


def _check_together(policy: TrustPolicy) -> None:
    _check_logs(policy)
    witness = policy.freshness.witness
    if witness is not None and witness not in policy.log_policy.witnesses:
        raise TrustPolicyError(f"[freshness]: log.policy has no witness {witness!r}")
    if witness is None and policy.log_policy.quorum is None:
        raise TrustPolicyError("[freshness]: the quorum of log.policy is none, so name the witness whose time counts")
    if policy.freshness.max_age_s < 1:
        raise TrustPolicyError("[freshness]: max_age_s must be 1 or more")
    if not policy.topics:
        raise TrustPolicyError("[topics] names no topic")
    _check_receipt_keys(policy)
    _check_sealers(policy)
    known = {key for key, _ in policy.log_policy.logs}
    for key in policy.log_policy.retired:
        if key not in known:
            raise TrustPolicyError(f"a key of {key.name!r} is retired that log.policy does not have")
    _check_signers(policy)


def _check_receipt_keys(policy: TrustPolicy) -> None:
    origins = {key.name for key, _ in policy.log_policy.logs}
    used = {key.public_key for key, _ in policy.log_policy.logs}
    used |= {key.public_key for key in policy.log_policy.witnesses.values()}
    for key in policy.receipt_keys:
        if key.origin not in origins:
            raise TrustPolicyError(f"a receipt key is for {key.origin!r}, of which log.policy has no log line")
        if key.public_key in used:
            raise TrustPolicyError(f"a receipt key of {key.origin!r} is there twice, or is that of a log or witness")
        used.add(key.public_key)


def _check_sealers(policy: TrustPolicy) -> None:
    if bool(policy.sealers) != (policy.seals_origin is not None):
        raise TrustPolicyError("[[sealers]] and [logs].seals go together: what sealers seal is in a log of its own")
    if len({sealer.name for sealer in policy.sealers}) < len(policy.sealers):
        raise TrustPolicyError("two sealers have the same name")
    used = replace(policy, sealers=()).machine_keys
    for sealer in policy.sealers:
        if sealer.public_key in used:
            raise TrustPolicyError(f"the sealer {sealer.name!r} has the key of another sealer, a log, a witness or receipts")
        used |= {sealer.public_key}


def _check_logs(policy: TrustPolicy) -> None:
    keys = {key.name for key, _ in policy.log_policy.logs}
    names: dict[str, str] = {}
    for origin in _origins(policy):
        if origin not in keys:
            raise TrustPolicyError(f"log.policy has no log line for the origin {origin!r}")
        name = log_name(origin)
        if not _LOG_NAME.fullmatch(name):
            raise TrustPolicyError(
                f"[logs]: {origin!r} must end in the log's name: after the last slash up to 64 of a-z, 0-9, '-', '_' and '.'"
            )
        if name in names:
            same = "is there twice" if names[name] == origin else f"and {names[name]!r} end in the same name"
            raise TrustPolicyError(f"[logs]: {origin!r} {same}; every log has its own")
        names[name] = origin
    used = {origin for topic in policy.topics.values() for origin in topic.origins}
    for origin in policy.decisions_origins:
        if policy.topics and origin not in used:
            raise TrustPolicyError(f"[logs]: no topic gives a partition to the decisions log {origin!r}")


def _check_signers(policy: TrustPolicy) -> None:
    machines = policy.machine_keys
    names: set[str] = set()
    keys: dict[bytes, str] = {}
    for signer in policy.signers:
        if signer.name in names:
            raise TrustPolicyError(f"the signer {signer.name!r} is there twice")
        if signer.public_key in keys:
            raise TrustPolicyError(f"the signers {keys[signer.public_key]!r} and {signer.name!r} have the same key")
        if signer.public_key in machines:
            raise TrustPolicyError(f"the signer {signer.name!r} has the key of a log, a witness, a sealer or receipts")
        names.add(signer.name)
        keys[signer.public_key] = signer.name

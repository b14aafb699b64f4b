"""A small scoring world: a model that is trained in a moment, transactions, records, and a partition that decides them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from importlib.resources import files
from random import Random
from typing import Any

import numpy as np
import xgboost
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.contracts import Decision, Evidence, EvidenceBody, Outcome, PolicyRule, PolicyStatement, Transaction
from tallystick.rules.policies import Policy
from tallystick.scoring.activations import Active, Actives
from tallystick.scoring.engine import Decided, Partition, Row, decide
from tallystick.scoring.model import Model
from tallystick.scoring.profiles import NO_PROFILES, ProfileTable
from tallystick.scoring.records import Limits
from tallystick.scoring.sealing import Sealer
from tallystick.scoring.vectors import Vectoriser
from tallystick.scoring.windows import DAY_MS
from tallystick.trust.chain import Record
from tallystick.trust.features import FeatureSchema

TOPIC = "transactions"
PARTITION = 3
NOW_MS = 1_700_000_000_000
LOOKUP_KEY = b"lookup key of thirty-two bytes.."
CHAIN_KEYS = {0: b"chain key of thirty-two bytes..."}
LIMITS = Limits(max_value_bytes=60_000, event_time_tolerance_ms=3_600_000)
JSON = (("content-type", b"application/json"),)
CARD = (files("tallystick.contracts") / "features/card-1.json").read_bytes()
PLACES = (files("tallystick.contracts") / "features/card-2.json").read_bytes()
COMPONENTS = b"""{"name": "components", "version": 1, "features": [
    {"name": "amount", "kind": "amount"},
    {"name": "v1", "kind": "attribute", "attribute": "V1"},
    {"name": "v2", "kind": "attribute", "attribute": "V2"}
]}"""


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """What the core needs of aiokafka's `ConsumerRecord`."""

    offset: int = 0
    timestamp: int = NOW_MS
    key: bytes | None = b"customer-1"
    value: bytes | None = b""
    headers: Sequence[tuple[str, bytes | None]] = ()


def transaction(**fields: Any) -> Transaction:
    """Return a transaction that is accepted, but for the fields given."""
    sound: dict[str, Any] = {
        "transaction_id": "tx-1",
        "customer_id": "customer-1",
        "amount_minor": 1_250,
        "currency": "EUR",
        "event_time_ms": NOW_MS,
        "terminal_id": "terminal-7",
        "source": "core",
        "source_sequence": 5,
    }
    return Transaction(**{name: value for name, value in (sound | fields).items() if value is not None})


def record(offset: int = 0, **fields: Any) -> FakeRecord:
    """Return the record of a transaction made of these fields, keyed and stamped as it ought to be."""
    paid = transaction(**fields)
    return FakeRecord(offset, paid.event_time_ms, paid.customer_id.encode(), paid.SerializeToString(deterministic=True))


@cache
def model_file(features: int, seed: int = 0) -> bytes:
    """Return a trained model, as XGBoost's JSON."""
    rng = np.random.default_rng(seed)
    rows = (rng.random((600, features)) * np.geomspace(300, 3, features)).astype(np.float32)
    labels = (rows[:, 0] + 20 * rng.normal(size=600) > 150).astype(int)
    parameters = {"max_depth": 4, "objective": "binary:logistic", "base_score": 0.5, "nthread": 1, "seed": seed}
    return bytes(xgboost.train(parameters, xgboost.DMatrix(rows, labels), 20).save_raw("json"))


@cache
def active(
    number: int = 0,
    effective_at_ms: int = 0,
    schema: bytes = CARD,
    decline_margin: float = 1.0,
    review_margin: float = 0.0,
    limits: Limits = LIMITS,
    rules: tuple[tuple[str, Outcome, str], ...] = (),
) -> Active:
    """Return an activation; each number has a model of its own."""
    vectoriser = Vectoriser(FeatureSchema.parse(schema))
    file = model_file(len(vectoriser.schema.features), number)
    digest = sha256(file).digest()
    return Active(
        index=10 * number + 2,
        number=number,
        effective_at_ms=effective_at_ms,
        model=Model(file, digest, len(vectoriser.schema.features)),
        model_digest=digest,
        vectoriser=vectoriser,
        policy=Policy(
            PolicyStatement(
                decline_margin=decline_margin,
                review_margin=review_margin,
                rules=[PolicyRule(name=name, outcome=outcome, when=when) for name, outcome, when in rules],
            ),
            vectoriser.schema.names,
        ),
        policy_digest=sha256(b"policy %d" % number).digest(),
        limits=limits,
    )


def actives(*activations: Active) -> Actives:
    """Return the activations given, else the one that always holds."""
    return Actives(activations or (active(),))


def customer_key(name: str) -> tuple[bytes, bytes]:
    """Return a customer's key id and key."""
    digest = sha256(name.encode()).digest()
    return digest[:16], sha256(digest).digest()


def fill(rows: Iterable[Row]) -> None:
    """Give customers their keys, as the shell does between `admit` and `decide`."""
    for row in rows:
        if row.customer is not None and row.customer.cipher is None:
            row.customer.key_id, key = customer_key(row.customer.name)
            row.customer.cipher = AESGCM(key)


@dataclass(slots=True)
class Scorer:
    """A partition with everything around it; its randomness is a seeded stream."""

    actives: Actives = field(default_factory=actives)
    partition_of: Callable[[bytes], int] = lambda _: PARTITION
    seed: int = 0
    profiles: ProfileTable = NO_PROFILES
    partition: Partition = field(init=False)
    sealer: Sealer = field(init=False)

    def __post_init__(self) -> None:
        self.partition = Partition(TOPIC, PARTITION, self.partition_of)
        self.sealer = Sealer(LOOKUP_KEY, Random(self.seed).randbytes)

    def score(self, records: Sequence[Record]) -> list[Decided]:
        """Decide one batch."""
        rows = self.partition.admit(records, self.actives, CHAIN_KEYS)
        fill(rows)
        return decide(TOPIC, PARTITION, rows, self.sealer, self.actives.challengers, self.profiles)

    def score_by(self, size: int, records: Sequence[Record]) -> list[Decided]:
        """Decide in batches of so many records."""
        return [item for start in range(0, len(records), size) for item in self.score(records[start : start + size])]


def decisions(decided: Iterable[Decided]) -> list[Decision]:
    """Return the decisions, parsed."""
    return [Decision.FromString(item.decision) for item in decided]


def open_evidence(value: bytes, customer: str) -> EvidenceBody:
    """Decrypt evidence as its description in `evidence.proto` says."""
    evidence = Evidence.FromString(value)
    place = evidence.partition.to_bytes(4, "big") + evidence.sequence.to_bytes(8, "big")
    _, key = customer_key(customer)
    body = AESGCM(key).decrypt(evidence.nonce, evidence.ciphertext, evidence.key_id + evidence.lookup + place)
    return EvidenceBody.FromString(body)


def stream(count: int, seed: int = 0, customers: int = 9, step_ms: int = DAY_MS // 12) -> list[FakeRecord]:
    """Return a mixed stream: late, repeated and broken records among sound ones, in protobuf and JSON."""
    random = Random(seed)
    records = []
    for offset in range(count):
        stamp = NOW_MS + offset * step_ms
        made = record(
            offset,
            transaction_id=f"tx-{offset if random.random() < 0.95 else random.randrange(offset + 1)}",
            customer_id=f"customer-{random.randrange(customers)}",
            amount_minor=random.randrange(60_000),
            currency=random.choice(["EUR", "EUR", "EUR", "CHF"]),
            event_time_ms=stamp - random.choice([0, 0, 0, random.randrange(3_600_000)]),
            terminal_id=random.choice([None, f"terminal-{random.randrange(99)}"]),
            merchant_id=random.choice([None, f"merchant-{random.randrange(99)}"]),
            source=random.choice([None, "core"]),
            source_sequence=random.choice([None, offset]),
        )
        made = replace(made, timestamp=stamp)
        fate = random.random()
        if fate < 0.04:
            made = replace(made, value=made.value[:-1] if made.value else None)
        elif fate < 0.08:
            made = replace(made, key=b"somebody")
        records.append(made)
    return records

"""A stretch of decisions as scoring really makes them: records in, evidence and log out, everything kept at hand."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import xgboost
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.json_format import MessageToJson

from tallystick.audit.evidence import open_groups
from tallystick.cli.replay.decided import Decisions
from tallystick.cli.replay.evidence_file import EvidenceKeeper
from tallystick.cli.replay.opened import Opened, State
from tallystick.contracts import (
    EntryKind,
    Erasure,
    Evidence,
    ListKind,
    ListSubject,
    LogEntry,
    ModelStatement,
    Outcome,
    PolicyList,
    PolicyRule,
    PolicyStatement,
    Transaction,
)
from tallystick.rules.lists import MemberList, encode_list
from tallystick.rules.policies import Policy
from tallystick.scoring.activations import Active, Actives
from tallystick.scoring.challengers import Challenger, Challengers
from tallystick.scoring.engine import Decided, Partition, decide
from tallystick.scoring.model import Model
from tallystick.scoring.records import Limits
from tallystick.scoring.sealing import Sealer
from tallystick.scoring.vectors import Vectoriser
from tallystick.trust.erasures import key_id_of
from tallystick.trust.features import FeatureSchema

from ..trust.helpers import (
    DECISIONS,
    GOVERNANCE,
    NOW_MS,
    Log,
    activation,
    activation_statement,
    log_policy,
    model_statement,
    model_version,
    policy_digest,
    policy_statement,
    policy_version,
    trust_toml,
)
from .logs import PARTITIONS, publish

SCHEMA = (files("tallystick.contracts") / "features/card-1.json").read_bytes()
CHAMPION_INDEX, CHALLENGER_INDEX = 3, 4
LIST_KEY = b"k" * 32
GAP_MS = 600_000
_BATCH = 500


class Paid(NamedTuple):
    """A Kafka record of `transactions`."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


def train(seed: int, trees: int, schema: bytes = SCHEMA) -> bytes:
    """Return a model of a schema, XGBoost's JSON."""
    rng = np.random.default_rng(seed)
    width = len(FeatureSchema.parse(schema).features)
    rows = (rng.random((6_000, width)) * np.geomspace(300, 3, width)).astype(np.float32)
    labels = (rows[:, 0] + 60 * rng.normal(size=len(rows)) > 200).astype(int)
    parameters = {"max_depth": 6, "objective": "binary:logistic", "base_score": 0.5, "nthread": 1, "seed": seed}
    return bytes(xgboost.train(parameters, xgboost.DMatrix(rows, labels), trees).save_raw("json"))


def rules_and_lists() -> tuple[PolicyStatement, bytes]:
    """Return a policy that asks for everything a policy can, and its list's file."""
    file = encode_list([(f"t{number}", NOW_MS * 2) for number in range(5)], LIST_KEY)
    statement = policy_statement(
        review_margin=-1.0, decline_margin=1.0, event_time_tolerance_ms=86_400_000, max_value_bytes=60_000
    )
    statement.rules.append(
        PolicyRule(
            name="large", when="transaction.amount_minor > 28000 AND feature.amount > 100", outcome=Outcome.OUTCOME_REVIEW
        )
    )
    statement.lists.append(
        PolicyList(
            name="terminals",
            kind=ListKind.LIST_KIND_BLOCK,
            subject=ListSubject.LIST_SUBJECT_TERMINAL,
            digest=sha256(file).digest(),
            salt=bytes(16),
            entries=5,
        )
    )
    return statement, file


@dataclass
class Day:
    """Decisions on `count` records and all that they were made of; the same each time.

    Attributes:
        records: the input by partition.
        evidence: each decision's `Evidence` by its SHA-256.
        keys: customers' keys by id, and tokens what shows that an id is a key's.
        governance: the governance log, log the decisions'.
    """

    count: int = 1_200
    trees: int = 12
    plain: bool = False
    customers: int = 60
    seed: int = 0
    schema: bytes = SCHEMA
    records: list[list[Paid]] = field(init=False, default_factory=lambda: [[] for _ in range(PARTITIONS)])
    evidence: dict[bytes, bytes] = field(init=False, default_factory=dict)
    keys: dict[bytes, bytes] = field(init=False, default_factory=dict)
    tokens: dict[bytes, bytes] = field(init=False, default_factory=dict)
    log: Log = field(init=False, default_factory=lambda: Log(DECISIONS))

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.model, self.other = (train(seed, self.trees, self.schema) for seed in (0, 1))
        self.policy, self.list = (policy_statement(review_margin=-1.0), b"") if self.plain else rules_and_lists()
        self.governance = self._governance()
        self._sealer = Sealer(bytes(32), self.random.randbytes)
        self._actives = self._loaded()
        self._decide()

    @property
    def period(self) -> tuple[str, str]:
        """The options that name all of it."""
        return "--from=0", f"--to={NOW_MS * 2}"

    def erase(self, key_id: bytes) -> None:
        """Destroy a customer's key, and log it."""
        del self.keys[key_id]
        tokens = [self.tokens[key_id]]
        erasure = Erasure(key_ids=[key_id], tokens=tokens, requested_at_ms=NOW_MS, effective_at_ms=NOW_MS)
        self.governance.append(EntryKind.ENTRY_KIND_ERASURE, erasure.SerializeToString())

    def write(self, folder: Path) -> None:
        """Write trust policy, logs, models, lists as they lie about in production, each below its name."""
        for name, files_ in {
            "policy": {"log.policy": log_policy(), "trust.toml": trust_toml()},
            "models": {f"{sha256(model).hexdigest()}.json": model for model in (self.model, self.other)},
            "lists": {
                f"{sha256(self.list).hexdigest()}.list": self.list,
                f"{sha256(self.list).hexdigest()}.key": LIST_KEY.hex().encode(),
            },
        }.items():
            (folder / name).mkdir(exist_ok=True)
            for file, content in files_.items():
                (folder / name / file).write_bytes(content)
        for log in (self.governance, self.log):
            publish(log, folder / "logs" / log.origin.rpartition("/")[2])

    def write_transactions(self, path: Path, first: int = 0) -> None:
        """Write the input as JSON lines in the order in which it came, from the `first` record on."""
        records = sorted((record for some in self.records for record in some), key=lambda record: record.timestamp)
        values = [Transaction.FromString(record.value or b"") for record in records[first:]]
        path.write_text("".join(f"{MessageToJson(value, indent=None)}\n" for value in values))

    def _governance(self) -> Log:
        log = Log(GOVERNANCE)
        models = [self._statement(file, str(number)) for number, file in enumerate((self.model, self.other))]
        for statement in models:
            log.append(EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(statement))
        log.append(EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(self.policy))
        for index, (statement, slot) in enumerate(zip(models, ("champion", "challenger/b"), strict=True)):
            record = activation_statement(
                statement.digest,
                policy_digest(self.policy),
                slot=slot,
                model_index=index,
                policy_index=2,
                effective_at_ms=NOW_MS,
            )
            if slot == "champion" or not self.plain:
                log.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(record))
        return log

    def _statement(self, file: bytes, version: str) -> ModelStatement:
        digest = sha256(file).digest()
        card = f"# Model {version}\n"
        return model_statement(digest=digest, size_bytes=len(file), version=version, feature_schema=self.schema, card=card)

    def _loaded(self) -> Actives:
        vectoriser = Vectoriser(FeatureSchema.parse(self.schema))
        names, digests = vectoriser.schema.names, [sha256(file).digest() for file in (self.model, self.other)]
        champion, other = (
            Model(file, digest, len(names)) for file, digest in zip((self.model, self.other), digests, strict=True)
        )
        lists = [MemberList(item, self.list, LIST_KEY) for item in self.policy.lists]
        limits = Limits(self.policy.max_value_bytes, 86_400_000)
        active = Active(
            index=CHAMPION_INDEX,
            number=0,
            effective_at_ms=NOW_MS,
            model=champion,
            model_digest=digests[0],
            vectoriser=vectoriser,
            policy=Policy(self.policy, names, lists),
            policy_digest=policy_digest(self.policy),
            limits=limits,
        )
        schema = vectoriser.schema.digest
        shadow = Challenger(CHALLENGER_INDEX, "challenger/b", NOW_MS, 2 * NOW_MS, other, schema)
        return Actives((active,), Challengers() if self.plain else Challengers([shadow]))

    def _record(self, number: int) -> tuple[int, Paid]:
        """Return the next record and its partition; some are late, some repeat an id, some have no key."""
        customer = self.random.randrange(self.customers)
        partition = customer % PARTITIONS
        late = self.random.randrange(20_000_000) if self.random.random() < 0.1 else 0
        time_ms = NOW_MS + number * GAP_MS
        paid = Transaction(
            transaction_id=f"tx-{number // 2 if number % 97 == 96 else number}",
            customer_id=f"c{customer}",
            amount_minor=self.random.randrange(1, 30_000),
            currency="USD" if number % 11 == 0 else "EUR",
            event_time_ms=time_ms - late,
            terminal_id=f"t{self.random.randrange(200)}",
        )
        key = None if number % 101 == 100 else f"c{customer}".encode()
        offset = len(self.records[partition]) + (number % 7 == 0)  # Kafka leaves offsets out
        last = self.records[partition][-1].offset if self.records[partition] else -1
        return partition, Paid(max(offset, last + 1), time_ms, key, paid.SerializeToString())

    def _decide(self) -> None:
        partitions = [Partition("transactions", number, _always(number)) for number in range(PARTITIONS)]
        offsets = [0] * PARTITIONS
        for first in range(0, self.count, _BATCH):
            batches: list[list[Paid]] = [[] for _ in range(PARTITIONS)]
            for number in range(first, min(first + _BATCH, self.count)):
                place, record = self._record(number)
                self.records[place].append(record)
                batches[place].append(record)
            for partition, records in zip(partitions, batches, strict=True):
                rows = partition.admit(records, self._actives, {0: bytes(32)})
                for customer in (row.customer for row in rows if row.customer is not None and row.customer.cipher is None):
                    token, key = self.random.randbytes(16), self.random.randbytes(32)
                    customer.key_id = key_id_of(token)
                    self.tokens[customer.key_id] = token
                    self.keys[customer.key_id], customer.cipher = key, AESGCM(key)
                decided = decide("transactions", partition.number, rows, self._sealer, self._actives.challengers)
                offsets[partition.number] = self._log(partition.number, offsets[partition.number], decided)

    def _log(self, partition: int, offset: int, decided: Sequence[Decided]) -> int:
        for one in decided:
            entry = LogEntry(
                kind=EntryKind.ENTRY_KIND_DECISION,
                topic="decisions",
                partition=partition,
                offset=offset,
                timestamp_ms=NOW_MS,
                value=one.decision,
            )
            self.log.entries.append(entry.SerializeToString())
            if one.evidence is not None:
                self.evidence[sha256(one.evidence).digest()] = one.evidence
            offset += 1
        return offset

    async def read(self, origin: str, batches: Sequence[Decisions], groups: Collection[str]) -> list[Opened]:
        """Return evidence, opened as an audit service opens it."""
        assert origin == DECISIONS
        return [self._opened(batch, groups) for batch in batches]

    def _opened(self, batch: Decisions, groups: Collection[str]) -> Opened:
        states = np.full(len(batch), State.MISSING, np.uint8)
        salts: dict[str, list[bytes]] = {group: [b""] * len(batch) for group in groups}
        contents: dict[str, list[bytes]] = {group: [b""] * len(batch) for group in groups}
        sealed: dict[int, bytes] = {}
        for row in range(len(batch)):
            value = self.evidence.get(batch.evidence_digests[row].tobytes())
            if value is None:
                continue
            key = self.keys.get(Evidence.FromString(value).key_id)
            if key is None:
                states[row], sealed[row] = State.ERASED, value
                continue
            inside = open_groups(value, key)
            states[row] = State.OPENED
            for group in groups:
                salts[group][row], contents[group][row] = inside[group].salt, inside[group].content
        return Opened(states, salts, contents, sealed)

    async def keep(self, folder: Path) -> None:
        """Write all evidence that there is as `--save-evidence` does, without executing anything."""
        from tallystick.cli.replay.decided import decisions_of
        from tallystick.trust.governance import replay

        from ..trust.helpers import trust_policy

        governance = replay(self.governance.entries, trust_policy())
        activations = {one.index: one for one in governance.activations}
        with EvidenceKeeper(self, folder) as keeper:
            found = decisions_of(self.log.entries, 0, DECISIONS, trust_policy(), activations, range(2 * NOW_MS))
            scored = [batch for batch in found if not batch.rejected]
            await keeper.read(DECISIONS, scored, ("identity", "transaction", "features", "explanation"))


def _always(number: int) -> Callable[[bytes], int]:
    return lambda _: number

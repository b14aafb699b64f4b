"""A small bank in memory: keys, a trust policy, two logs, and the bundles that they make.

`World` is mutable on purpose: a test changes one thing and asks for the bundle again.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from struct import pack
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import Message

from tallystick.contracts import (
    Activation,
    ActivationStatement,
    Commitment,
    Decision,
    Enrolment,
    EnrolmentStatement,
    EntryKind,
    Explanation,
    FeatureVector,
    Identity,
    LogEntry,
    LogKey,
    LogKeyStatement,
    ModelStatement,
    ModelVersion,
    Outcome,
    PolicyStatement,
    PolicyVersion,
    ReasonCode,
    Signature,
    TransactionDetails,
)
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.notes import COSIGNATURE_V1, ED25519, Note, SignatureLine, VerifierKey, cosignature_message
from tallystick.merkle.receipts import ConsistencyReceipt, InclusionReceipt
from tallystick.merkle.signed_roots import ReceiptKey, RootHeader, SignedRoot
from tallystick.merkle.tiles import TileBuilder, TilePath, consistency_proof, inclusion_proof
from tallystick.trust.bundle_format import GovernanceProofs, LoggedEntry, Opening, ProofBundle, encode_bundle
from tallystick.trust.commitments import commit
from tallystick.trust.decisions import GROUPS, margin_of, outcome_of, score_of
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.statements import signing_input

DECISIONS = "tallystick.example/test/decisions"
GOVERNANCE = "tallystick.example/test/governance"
RECEIPTS = "notary-receipts-decisions"
SCHEMA = (
    b'{"name": "tiny", "version": 1, "features": [{"name": "amount", "kind": "amount"}, '
    b'{"name": "count_7d", "kind": "count", "days": 7}]}'
)
M = TypeVar("M", bound=Message)
NOW_MS = 1_700_000_000_000


def key(name: str) -> Ed25519PrivateKey:
    """Return the private key that belongs to a name; the same each time."""
    return Ed25519PrivateKey.from_private_bytes(sha256(f"key of {name}".encode()).digest())


def public(name: str) -> bytes:
    """Return the name's public key, 32 bytes."""
    return key(name).public_key().public_bytes_raw()


def encoded_public(name: str) -> str:
    """Return the name's public key as trust policies have it."""
    return b64encode(public(name)).decode()


def sign(kind: str, statement: bytes, *names: str) -> list[Signature]:
    """Return good signatures of these people on a statement."""
    return [Signature(signer=name, signature=key(name).sign(signing_input(kind, statement))) for name in names]


def log_policy(quorum: str = "none", logs: Sequence[str] = (DECISIONS, GOVERNANCE)) -> bytes:
    """Return a `log.policy` with the logs and the clock witness."""
    lines = [f"log {VerifierKey.make(origin, ED25519, public(origin))}" for origin in logs]
    lines.append(f"witness notary-clock {VerifierKey.make('notary-clock', COSIGNATURE_V1, public('notary-clock'))}")
    return "\n".join([*lines, f"quorum {quorum}", ""]).encode()


def trust_toml(signers: Mapping[str, Sequence[str]] | None = None, **replacements: str) -> bytes:
    """Return a `trust.toml`; `signers` maps names to roles, `replacements` replaces text (`old="new"` by keyword)."""
    everybody = {
        "ada": ["publisher", "approver"],
        "bob": ["approver"],
        "cyd": ["approver"],
        "pat": ["publisher"],
    }
    text = f"""version = 1
[logs]
decisions = "{DECISIONS}"
governance = "{GOVERNANCE}"
[freshness]
witness = "notary-clock"
max_age_s = 60
[topics.transactions]
partitions = 4
partitioner = "murmur2"
"""
    for name, roles in (everybody if signers is None else signers).items():
        text += f'[[signers]]\nname = "{name}"\npublic_key = "{b64encode(public(name)).decode()}"\nroles = {list(roles)}\n'
    text += f'[[receipt_keys]]\norigin = "{DECISIONS}"\npublic_key = "{b64encode(public(RECEIPTS)).decode()}"\n'
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text.encode()


def trust_policy(quorum: str = "none") -> TrustPolicy:
    """Return the bank's trust policy, parsed."""
    return TrustPolicy.parse(log_policy(quorum), trust_toml())


class Log:
    """A log in memory: entries, their tree and their signed checkpoint."""

    def __init__(self, origin: str, entries: Sequence[bytes] = ()) -> None:
        self.origin = origin
        self.entries = list(entries)

    def append(self, kind: EntryKind, value: bytes, *, topic: str = "governance", partition: int = 0) -> int:
        """Log a record; return its index."""
        index = len(self.entries)
        entry = LogEntry(kind=kind, topic=topic, partition=partition, offset=index, timestamp_ms=NOW_MS, value=value)
        self.entries.append(entry.SerializeToString())
        return index

    def checkpoint(self, signer: str | None = None, cosigners: Sequence[str] = ("notary-clock",)) -> bytes:
        """Return the signed checkpoint of all entries; by default signed with the origin's own key."""
        text = Checkpoint(self.origin, len(self.entries), self._tree()[1]).encode()
        signer = signer or self.origin
        lines = [SignatureLine.by(VerifierKey.make(self.origin, ED25519, public(signer)), key(signer).sign(text))]
        for name in cosigners:
            signature = key(name).sign(cosignature_message(text, NOW_MS // 1000))
            lines.append(SignatureLine.by(VerifierKey.make(name, COSIGNATURE_V1, public(name)), signature, NOW_MS // 1000))
        return Note(text, tuple(lines)).encode()

    def prove(self, index: int) -> LoggedEntry:
        """Return an entry with its inclusion proof under `checkpoint`."""
        tiles, _ = self._tree()
        return LoggedEntry(index, self.entries[index], inclusion_proof(index, len(self.entries), tiles.__getitem__))

    def signed_root(self, signer: str = RECEIPTS) -> SignedRoot:
        """Return the root of all entries as the log's receipt key signs it."""
        header = RootHeader(self.origin, len(self.entries), ReceiptKey(self.origin, public(signer)).key_id)
        return SignedRoot(header, key(signer).sign(header.signing_input(self._tree()[1])))

    def inclusion_receipt(self, index: int) -> bytes:
        """Return a COSE receipt of an entry."""
        return InclusionReceipt(self.signed_root(), index, tuple(self.prove(index).proof)).encode()

    def consistency_receipt(self, size: int) -> bytes:
        """Return a COSE receipt that the log of all entries extends its first `size`."""
        path = consistency_proof(size, len(self.entries), self._read_any)
        return ConsistencyReceipt(self.signed_root(), size, tuple(path)).encode()

    def _read_any(self, path: TilePath) -> bytes:
        return self._tree()[0][path]

    def _tree(self) -> tuple[dict[TilePath, bytes], bytes]:
        builder = TileBuilder()
        tiles = builder.append([leaf_hash(entry) for entry in self.entries])
        return tiles, builder.root()


def model_statement(**changes: Any) -> ModelStatement:
    """Return a sound model statement."""
    statement = ModelStatement(
        name="fraud",
        version="1",
        digest=sha256(b"model 1").digest(),
        size_bytes=7,
        format="xgboost-json",
        engine="xgboost 3.2.0",
        feature_schema=SCHEMA,
        created_at_ms=NOW_MS,
    )
    return _changed(statement, changes)


def policy_statement(**changes: Any) -> PolicyStatement:
    """Return a sound policy statement: review from margin 0, decline from 2."""
    statement = PolicyStatement(
        name="standard",
        version="1",
        decline_margin=2.0,
        review_margin=0.0,
        event_time_tolerance_ms=60_000,
        max_value_bytes=60_000,
        created_at_ms=NOW_MS,
    )
    return _changed(statement, changes)


def activation_statement(model: bytes, policy: bytes, **changes: Any) -> ActivationStatement:
    """Return the first activation of a model (by digest, at index 0) and a policy (at index 1)."""
    statement = ActivationStatement(
        log=GOVERNANCE,
        slot="champion",
        number=0,
        model_digest=model,
        model_index=0,
        policy_digest=policy,
        policy_index=1,
        effective_at_ms=NOW_MS,
    )
    return _changed(statement, changes)


def model_version(statement: ModelStatement, *signers: str) -> bytes:
    """Return the record of a published model; signed by pat unless told otherwise."""
    data = statement.SerializeToString(deterministic=True)
    return ModelVersion(statement=data, signatures=sign("ModelStatement", data, *(signers or ("pat",)))).SerializeToString()


def policy_version(statement: PolicyStatement, *signers: str) -> bytes:
    """Return the record of a published policy; signed by pat unless told otherwise."""
    data = statement.SerializeToString(deterministic=True)
    return PolicyVersion(statement=data, signatures=sign("PolicyStatement", data, *(signers or ("pat",)))).SerializeToString()


def activation(statement: ActivationStatement, *signers: str) -> bytes:
    """Return the record of an activation; signed by ada and bob unless told otherwise."""
    data = statement.SerializeToString(deterministic=True)
    return Activation(
        statement=data, signatures=sign("ActivationStatement", data, *(signers or ("ada", "bob")))
    ).SerializeToString()


def enrolment(name: str, roles: Sequence[str], *signers: str, superseded: int | None = None, **changes: Any) -> bytes:
    """Return the record that gives a person (with the key of their name) these roles; signed by ada and bob by default."""
    statement = EnrolmentStatement(
        log=GOVERNANCE, signer=name, public_key=public(name), roles=roles, superseded_index=superseded
    )
    data = _changed(statement, changes).SerializeToString(deterministic=True)
    return Enrolment(
        statement=data, signatures=sign("EnrolmentStatement", data, *(signers or ("ada", "bob")))
    ).SerializeToString()


def log_key(name: str, *signers: str, origin: str = GOVERNANCE, last_size: int | None = None, **changes: Any) -> bytes:
    """Return the record that adds the key of `name` to a log, or retires it at a size; signed by ada and bob by default."""
    statement = LogKeyStatement(log=GOVERNANCE, origin=origin, public_key=public(name), last_size=last_size)
    data = _changed(statement, changes).SerializeToString(deterministic=True)
    return LogKey(statement=data, signatures=sign("LogKeyStatement", data, *(signers or ("ada", "bob")))).SerializeToString()


def policy_digest(statement: PolicyStatement) -> bytes:
    """Return the SHA-256 of a policy's statement as `policy_version` serialises it."""
    return sha256(statement.SerializeToString(deterministic=True)).digest()


def _changed(statement: M, changes: Mapping[str, Any]) -> M:
    for name, value in changes.items():
        if value is None:
            statement.ClearField(name)
        else:
            setattr(statement, name, value)
    return statement


@dataclass
class World:
    """Everything that one bundle is made of.

    Change `model`, `policy`, `activation`, `decision` or their signers, then call `bundle()`. The decision is made under
    `margin`; `disclosures` holds each group's salt and content.
    """

    margin: float = 2.5
    features: tuple[float, ...] = (12.5, 3.0)
    model: ModelStatement = field(default_factory=model_statement)
    policy: PolicyStatement = field(default_factory=policy_statement)
    activation: ActivationStatement = field(init=False)
    decision: Decision = field(init=False)
    publishers: tuple[str, ...] = ("pat",)
    approvers: tuple[str, ...] = ("ada", "bob")
    contents: dict[str, bytes] = field(default_factory=dict)
    decision_log: Log = field(default_factory=lambda: Log(DECISIONS, [b"before"] * 5))
    after: int = 3

    def __post_init__(self) -> None:
        self.activation = activation_statement(self.model.digest, policy_digest(self.policy))
        digest = sha256(self.model.feature_schema).digest()
        values = pack(f"<{len(self.features)}f", *self.features)
        self.contents = {
            "identity": Identity(transaction_id="t1", customer_id="c1").SerializeToString(),
            "transaction": TransactionDetails(amount_minor=1250, currency="EUR", event_time_ms=NOW_MS).SerializeToString(),
            "features": FeatureVector(feature_schema_digest=digest, values=values).SerializeToString(),
            "explanation": Explanation().SerializeToString(),
        } | self.contents
        self.decision = self._decision()

    @staticmethod
    def salt(group: str) -> bytes:
        """Return the group's salt."""
        return sha256(group.encode()).digest()[:16]

    def openings(self, *groups: str) -> list[Opening]:
        """Return what opens these groups' commitments."""
        return [Opening(group, self.salt(group), self.contents[group]) for group in groups]

    def governance_log(self) -> Log:
        """Return the governance log: model, policy, activation and one entry more."""
        log = Log(GOVERNANCE)
        log.append(EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(self.model, *self.publishers))
        log.append(EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(self.policy, *self.publishers))
        log.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(self.activation, *self.approvers))
        log.append(EntryKind.ENTRY_KIND_REPORT, b"")
        return log

    def logged(self) -> tuple[Log, int]:
        """Return the decisions' log, and the decision's index in it."""
        log = Log(self.decision_log.origin, self.decision_log.entries)
        index = log.append(
            EntryKind.ENTRY_KIND_DECISION,
            self.decision.SerializeToString(),
            topic="decisions",
            partition=self.decision.source_partition,
        )
        log.entries += [b"after"] * self.after
        return log, index

    def proofs(self, *groups: str, governance: Log | None = None) -> ProofBundle:
        """Return the bundle, these groups disclosed, before it is encoded."""
        log, index = self.logged()
        governance = governance or self.governance_log()
        return ProofBundle(
            decision=log.prove(index),
            checkpoint=log.checkpoint(),
            governance=GovernanceProofs(governance.checkpoint(), governance.prove(0), governance.prove(1), governance.prove(2))
            if self.decision.HasField("activation_index")
            else None,
            disclosures=self.openings(*groups),
        )

    def bundle(self, *groups: str) -> bytes:
        """Return the bundle's file, these groups disclosed."""
        return encode_bundle(self.proofs(*groups))

    def reject(self, *reasons: ReasonCode, in_force: bool = True) -> None:
        """Make the decision a rejection."""
        for name in ("margin_bits", "score", "model_digest", "feature_schema_digest", "evidence_digest", "commitments"):
            self.decision.ClearField(name)
        del self.decision.reasons[:]
        self.decision.reasons.extend(reasons)
        self.decision.outcome = Outcome.OUTCOME_REJECTED
        if not in_force:
            self.decision.ClearField("activation_index")
            self.decision.ClearField("policy_digest")

    def _decision(self) -> Decision:
        bits = int.from_bytes(pack("<f", self.margin), "little")
        outcome = outcome_of(margin_of(bits), self.policy)
        reasons = {
            Outcome.OUTCOME_REVIEW: [ReasonCode.REASON_CODE_MARGIN_REVIEW],
            Outcome.OUTCOME_DECLINE: [ReasonCode.REASON_CODE_MARGIN_DECLINE],
        }
        return Decision(
            source_topic="transactions",
            source_partition=2,
            source_offset=41,
            sequence=40,
            chain=sha256(b"chain").digest(),
            decided_at_ms=NOW_MS,
            outcome=outcome,
            reasons=reasons.get(outcome, []),
            margin_bits=bits,
            score=score_of(margin_of(bits)),
            model_digest=self.model.digest,
            policy_digest=policy_digest(self.policy),
            feature_schema_digest=sha256(self.model.feature_schema).digest(),
            activation_index=2,
            evidence_digest=sha256(b"evidence").digest(),
            commitments=[
                Commitment(group=group, digest=commit(self.salt(name), self.contents[name])) for name, group in GROUPS.items()
            ],
        )

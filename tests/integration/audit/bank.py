"""What scoring, notary and trainer leave behind, made directly: log folders, evidence, index rows, wrapped keys.

Nothing of those services is used, so that the audit service is held to the formats and not to their code.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from struct import pack

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.contracts import (
    Activation,
    ActivationStatement,
    Commitment,
    Contribution,
    Decision,
    Disclosure,
    EntryKind,
    Evidence,
    EvidenceBody,
    Explanation,
    FeatureVector,
    Identity,
    LogEntry,
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
from tallystick.merkle.notes import Note, SignatureLine, VerifierKey
from tallystick.merkle.tiles import ENTRIES, TILE_WIDTH, TileBuilder, TilePath, encode_bundle
from tallystick.trust.commitments import commit
from tallystick.trust.decisions import GROUPS, score_of
from tallystick.trust.statements import signing_input

NOW_MS = 1_790_000_000_000
SCHEMA = b'{"name": "tiny", "version": 1, "features": [{"name": "amount", "kind": "amount"}]}'
MODEL_FILE = b'{"learner": {"a model": "for tests"}}'
CUSTOMER = "c-1"
MARGIN = 2.5
MARGIN_BITS = int.from_bytes(pack(">f", MARGIN), "big")
Sign = Callable[[bytes], bytes]


@dataclass
class LogFolder:
    """A log in a directory, published as a notary would."""

    directory: Path
    key: VerifierKey
    sign: Sign
    entries: list[bytes] = field(default_factory=list)
    builder: TileBuilder = field(default_factory=TileBuilder)

    def publish(self, entries: Sequence[bytes]) -> None:
        """Append entries: tiles and bundles first, the checkpoint when they are all there."""
        first = len(self.entries) // TILE_WIDTH
        self.entries += entries
        for path, tile in self.builder.append([leaf_hash(entry) for entry in entries]).items():
            self._write(path.path(), tile)
        for index in range(first, (len(self.entries) + TILE_WIDTH - 1) // TILE_WIDTH):
            bundle = self.entries[index * TILE_WIDTH : (index + 1) * TILE_WIDTH]
            self._write(TilePath(ENTRIES, index, len(bundle)).path(), encode_bundle(bundle))
        self._write("checkpoint", self.signed(len(self.entries), self.builder.root()))

    def signed(self, size: int, root: bytes) -> bytes:
        """Return the signed checkpoint of a head."""
        text = Checkpoint(self.key.name, size, root).encode()
        return Note(text, (SignatureLine.by(self.key, self.sign(text)),)).encode()

    def _write(self, name: str, data: bytes) -> None:
        target = self.directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".new")
        temporary.write_bytes(data)
        temporary.replace(target)


@dataclass(frozen=True)
class Made:
    """A decision with its evidence, as the topics would carry them; `evidence` is None for a rejected record."""

    decision: Decision
    evidence: bytes | None

    @property
    def entry(self) -> bytes:
        """The decision's log entry."""
        return LogEntry(
            kind=EntryKind.ENTRY_KIND_DECISION,
            topic="decisions",
            partition=self.decision.source_partition,
            offset=self.decision.sequence,
            timestamp_ms=NOW_MS + 5,
            value=self.decision.SerializeToString(),
        ).SerializeToString()


@dataclass
class Bank:
    """Makes decisions of one model: `customer_key` is the key of its only customer."""

    lookup_key: bytes
    signers: Mapping[str, Ed25519PrivateKey]
    customer_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    token: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def key_id(self) -> bytes:
        """Return the id of the customer's key, made of its token."""
        return hashlib.sha256(b"tallystick/v1/customer-key\n" + self.token).digest()[:16]

    def name_of(self, customer_id: str) -> bytes:
        """Return what the key table calls a customer."""
        return hmac.digest(self.lookup_key, customer_id.encode(), "sha256")

    @property
    def model(self) -> ModelStatement:
        """The model's statement."""
        return ModelStatement(
            name="fraud",
            version="1",
            digest=hashlib.sha256(MODEL_FILE).digest(),
            size_bytes=len(MODEL_FILE),
            format="xgboost-json",
            engine="xgboost 3.2.0",
            feature_schema=SCHEMA,
            created_at_ms=NOW_MS,
        )

    @property
    def policy(self) -> PolicyStatement:
        """The policy's statement."""
        return PolicyStatement(
            name="standard",
            version="1",
            decline_margin=2.0,
            review_margin=0.0,
            event_time_tolerance_ms=60_000,
            max_value_bytes=60_000,
            created_at_ms=NOW_MS,
        )

    def governance_entries(self, log: str) -> list[bytes]:
        """Return the governance log of this origin: model, policy, activation (index 2)."""
        model, policy = self.model.SerializeToString(), self.policy.SerializeToString()
        activation = ActivationStatement(
            log=log,
            slot="champion",
            number=0,
            model_digest=self.model.digest,
            model_index=0,
            policy_digest=hashlib.sha256(policy).digest(),
            policy_index=1,
            effective_at_ms=NOW_MS,
        ).SerializeToString()
        records = (
            (EntryKind.ENTRY_KIND_MODEL_VERSION, ModelVersion(statement=model, signatures=self._sign("Model", model, "ada"))),
            (
                EntryKind.ENTRY_KIND_POLICY_VERSION,
                PolicyVersion(statement=policy, signatures=self._sign("Policy", policy, "ada")),
            ),
            (
                EntryKind.ENTRY_KIND_ACTIVATION,
                Activation(statement=activation, signatures=self._sign("Activation", activation, "ada", "grace")),
            ),
        )
        return [
            LogEntry(
                kind=kind, topic="governance", offset=index, timestamp_ms=NOW_MS, value=record.SerializeToString()
            ).SerializeToString()
            for index, (kind, record) in enumerate(records)
        ]

    def decide(
        self, transaction_id: str, partition: int, sequence: int, key_id: bytes | None = None, customer_id: str = CUSTOMER
    ) -> Made:
        """Decline a transaction, with evidence of its own (another key id: as if the key had been destroyed)."""
        disclosures = [
            Disclosure(group=GROUPS[name], salt=secrets.token_bytes(16), content=content)
            for name, content in self._contents(transaction_id, customer_id).items()
        ]
        sealed = Evidence(
            key_id=key_id or self.key_id,
            lookup=hmac.digest(self.lookup_key, transaction_id.encode(), "sha256"),
            partition=partition,
            sequence=sequence,
            nonce=secrets.token_bytes(12),
        )
        place = partition.to_bytes(4, "big") + sequence.to_bytes(8, "big")
        body = EvidenceBody(disclosures=disclosures).SerializeToString()
        sealed.ciphertext = AESGCM(self.customer_key).encrypt(sealed.nonce, body, sealed.key_id + sealed.lookup + place)
        evidence = sealed.SerializeToString()
        decision = self._decision(partition, sequence)
        decision.evidence_digest = hashlib.sha256(evidence).digest()
        decision.commitments.extend(Commitment(group=d.group, digest=commit(d.salt, d.content)) for d in disclosures)
        return Made(decision, evidence)

    def reject(self, partition: int, sequence: int) -> Made:
        """Reject a record while no model was active."""
        decision = Decision(
            source_topic="transactions",
            source_partition=partition,
            source_offset=sequence,
            sequence=sequence,
            chain=secrets.token_bytes(32),
            decided_at_ms=NOW_MS,
            outcome=Outcome.OUTCOME_REJECTED,
            reasons=[ReasonCode.REASON_CODE_NO_ACTIVE_MODEL],
        )
        return Made(decision, None)

    def _decision(self, partition: int, sequence: int) -> Decision:
        return Decision(
            source_topic="transactions",
            source_partition=partition,
            source_offset=sequence,
            sequence=sequence,
            chain=secrets.token_bytes(32),
            decided_at_ms=NOW_MS,
            outcome=Outcome.OUTCOME_DECLINE,
            reasons=[ReasonCode.REASON_CODE_MARGIN_DECLINE],
            margin_bits=MARGIN_BITS,
            score=score_of(MARGIN),
            model_digest=self.model.digest,
            policy_digest=hashlib.sha256(self.policy.SerializeToString()).digest(),
            feature_schema_digest=hashlib.sha256(SCHEMA).digest(),
            activation_index=2,
        )

    def _contents(self, transaction_id: str, customer_id: str) -> dict[str, bytes]:
        values = FeatureVector(feature_schema_digest=hashlib.sha256(SCHEMA).digest(), values=pack("<f", 12.5))
        return {
            "identity": Identity(transaction_id=transaction_id, customer_id=customer_id).SerializeToString(),
            "transaction": TransactionDetails(amount_minor=1250, currency="EUR", event_time_ms=NOW_MS).SerializeToString(),
            "features": values.SerializeToString(),
            "explanation": Explanation(contributions=[Contribution(feature="amount", margin=1.75)]).SerializeToString(),
        }

    def _sign(self, kind: str, statement: bytes, *names: str) -> list[Signature]:
        message = signing_input(f"{kind}Statement", statement)
        return [Signature(signer=name, signature=self.signers[name].sign(message)) for name in names]

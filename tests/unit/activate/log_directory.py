"""A governance log in a directory, signed with a test's own keys, and the trust policy that believes it."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tallystick.cli.approval import public_key_of, write_key
from tallystick.contracts import EntryKind, LogEntry, ModelStatement, ModelVersion, PolicyStatement, PolicyVersion, Signature
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.keys import COSIGNATURE_V1, ED25519, VerifierKey
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.merkle.tiles import ENTRIES, TILE_WIDTH, TileBuilder, TilePath, encode_bundle
from tallystick.trainer.schemas import read_schema
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.statements import signing_input

GOVERNANCE = "tallystick.example/test/governance"
DECISIONS = "tallystick.example/test/decisions"


def new_key() -> Ed25519PrivateKey:
    """Make a key."""
    return Ed25519PrivateKey.generate()


def raw(key: Ed25519PrivateKey) -> bytes:
    """Return a key's public half."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@dataclass
class LogDirectory:
    """The log, the people and their files, all under one folder."""

    folder: Path
    log_key: Ed25519PrivateKey = field(default_factory=new_key)
    people: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    entries: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("mallory", "ada", "ben", "cleo"):
            self.people[name] = new_key()
            write_key(self.people[name], self.key_file(name))
        self.trust_folder.mkdir()
        keys = [VerifierKey.make(GOVERNANCE, ED25519, raw(self.log_key)), VerifierKey.make(DECISIONS, ED25519, raw(new_key()))]
        clock = VerifierKey.make("notary-clock", COSIGNATURE_V1, raw(new_key()))
        lines = [*(f"log {key}" for key in keys), f"witness notary-clock {clock}", "quorum none"]
        (self.trust_folder / "log.policy").write_text("\n".join(lines) + "\n")
        (self.trust_folder / "trust.toml").write_text(self._trust_toml())
        self.publish()

    @property
    def trust_folder(self) -> Path:
        """The trust policy's folder."""
        return self.folder / "trust"

    @property
    def trust(self) -> TrustPolicy:
        """The trust policy."""
        return TrustPolicy.load(self.trust_folder)

    @property
    def url(self) -> str:
        """The log's address."""
        return (self.folder / "log").as_uri()

    def key_file(self, name: str) -> Path:
        """Return where a person's key is."""
        return self.folder / f"{name}.pem"

    def append(self, kind: EntryKind, value: bytes) -> int:
        """Log a record and return its index."""
        entry = LogEntry(kind=kind, topic="governance", offset=len(self.entries), value=value)
        self.entries.append(entry.SerializeToString())
        self.publish()
        return len(self.entries) - 1

    def publish(self, signer: Ed25519PrivateKey | None = None) -> None:
        """Write tiles, bundles and a signed checkpoint."""
        builder = TileBuilder()
        for path, data in builder.append([leaf_hash(entry) for entry in self.entries]).items():
            self._write(path, data)
        for index in range(0, len(self.entries), TILE_WIDTH):
            part = self.entries[index : index + TILE_WIDTH]
            self._write(TilePath(ENTRIES, index // TILE_WIDTH, len(part)), encode_bundle(part))
        text = Checkpoint(GOVERNANCE, len(self.entries), builder.root()).encode()
        key = VerifierKey.make(GOVERNANCE, ED25519, raw(self.log_key))
        line = SignatureLine.by(key, (signer or self.log_key).sign(text))
        (self.folder / "log").mkdir(exist_ok=True)
        (self.folder / "log" / "checkpoint").write_bytes(Note(text, (line,)).encode())

    def publish_model(self, version: str, signer: str = "ada") -> tuple[bytes, bytes]:
        """Log a model and a policy; return their digests."""
        digest = sha256(version.encode()).digest()
        model = ModelStatement(
            name="m",
            version=version,
            digest=digest,
            size_bytes=5,
            format="xgboost-json",
            engine="xgboost",
            feature_schema=read_schema("card-1"),
            metrics={"average_precision": 0.5},
        ).SerializeToString()
        policy = PolicyStatement(
            name="p", version=version, decline_margin=2, review_margin=1, max_value_bytes=61_440
        ).SerializeToString()
        for kind, version_type, entry_kind, statement in (
            ("ModelStatement", ModelVersion, EntryKind.ENTRY_KIND_MODEL_VERSION, model),
            ("PolicyStatement", PolicyVersion, EntryKind.ENTRY_KIND_POLICY_VERSION, policy),
        ):
            signature = self.people[signer].sign(signing_input(kind, statement))
            record = version_type(statement=statement, signatures=[Signature(signer=signer, signature=signature)])
            self.append(entry_kind, record.SerializeToString())
        return digest, sha256(policy).digest()

    def _write(self, path: TilePath, data: bytes) -> None:
        target = self.folder / "log" / path.path()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def _trust_toml(self) -> str:
        roles = {"ada": '"publisher", "approver"', "ben": '"approver"', "cleo": '"publisher"'}
        signers = "".join(
            f'[[signers]]\nname = "{name}"\npublic_key = "{public_key_of(self.people[name])}"\nroles = [{role}]\n'
            for name, role in roles.items()
        )
        return (
            f'version = 1\n[logs]\ndecisions = "{DECISIONS}"\ngovernance = "{GOVERNANCE}"\n'
            '[freshness]\nwitness = "notary-clock"\nmax_age_s = 60\n'
            '[topics.transactions]\npartitions = 4\npartitioner = "murmur2"\n' + signers
        )

"""A release: a folder with a model's file and the statements that are to be signed.

<sha256>.json             the model
model_statement.bin       a serialised `ModelStatement`, exactly the bytes that a publisher signs
model_statement.json      the same for people, without the card and the schema
policy_statement.bin      a serialised `PolicyStatement`, likewise
policy_statement.json     the same for people
model_card.md
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError

from tallystick.contracts import ModelStatement, PolicyStatement
from tallystick.trainer.card import Training, model_card

MODEL_FORMAT = "xgboost-json"
EVENT_TIME_TOLERANCE_MS = 300_000
MAX_VALUE_BYTES = 61_440

MODEL_STATEMENT = "model_statement.bin"
POLICY_STATEMENT = "policy_statement.bin"


class ReleaseError(ValueError):
    """A release's folder does not hold together; the message names the file."""


@dataclass(frozen=True, slots=True)
class Release:
    """A model's file and the exact bytes of its statements."""

    model_file: bytes
    model_statement: bytes
    policy_statement: bytes

    @property
    def model(self) -> ModelStatement:
        """The model statement, parsed."""
        return ModelStatement.FromString(self.model_statement)

    @property
    def policy(self) -> PolicyStatement:
        """The policy statement, parsed."""
        return PolicyStatement.FromString(self.policy_statement)

    @property
    def policy_digest(self) -> bytes:
        """SHA-256 of the policy statement: the policy's name in activations and decisions."""
        return sha256(self.policy_statement).digest()


def make_release(training: Training, feature_schema: bytes, created_at_ms: int) -> Release:
    """State what was trained; `feature_schema` is the schema's exact bytes."""
    model = ModelStatement(
        name=training.name,
        version=training.version,
        digest=training.model.digest,
        size_bytes=len(training.model.file),
        format=MODEL_FORMAT,
        engine=training.model.engine,
        feature_schema=feature_schema,
        training_data_digest=training.data_digest,
        metrics=training.metrics,
        card=model_card(training),
        created_at_ms=created_at_ms,
    )
    policy = PolicyStatement(
        name=training.name,
        version=training.version,
        decline_margin=training.thresholds.decline_margin,
        review_margin=training.thresholds.review_margin,
        event_time_tolerance_ms=EVENT_TIME_TOLERANCE_MS,
        max_value_bytes=MAX_VALUE_BYTES,
        created_at_ms=created_at_ms,
    )
    return Release(
        training.model.file, model.SerializeToString(deterministic=True), policy.SerializeToString(deterministic=True)
    )


def write_release(release: Release, folder: Path) -> None:
    """Write a release into a folder, which is made if need be; a release that is there already is replaced.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model, policy = release.model, release.policy
    (folder / f"{model.digest.hex()}.json").write_bytes(release.model_file)
    (folder / MODEL_STATEMENT).write_bytes(release.model_statement)
    (folder / POLICY_STATEMENT).write_bytes(release.policy_statement)
    (folder / "model_card.md").write_text(model.card, encoding="utf-8")
    (folder / "policy_statement.json").write_text(MessageToJson(policy) + "\n", encoding="utf-8")
    model.ClearField("card")
    model.ClearField("feature_schema")
    (folder / "model_statement.json").write_text(MessageToJson(model) + "\n", encoding="utf-8")


def read_release(folder: Path) -> Release:
    """Read a release and check that the model's file is the one that its statement names.

    Raises:
        ReleaseError: it is not, or a statement is not one.
        OSError: a file is missing or cannot be read.
    """
    statements = [(folder / name).read_bytes() for name in (MODEL_STATEMENT, POLICY_STATEMENT)]
    try:
        model, _ = ModelStatement.FromString(statements[0]), PolicyStatement.FromString(statements[1])
    except DecodeError as error:
        raise ReleaseError(f"{folder}: a statement is not one: {error}") from error
    path = folder / f"{model.digest.hex()}.json"
    model_file = path.read_bytes()
    if sha256(model_file).digest() != model.digest or len(model_file) != model.size_bytes:
        raise ReleaseError(f"{path}: not the file that {MODEL_STATEMENT} names")
    return Release(model_file, *statements)

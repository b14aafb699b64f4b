"""Publishing a release: the model's file where scoring finds it, then the signed statements to the governance log's topic."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tallystick.contracts import ModelVersion, PolicyVersion, Signature
from tallystick.runtime.durable_files import replace_file
from tallystick.runtime.kafka import producer
from tallystick.runtime.settings import KafkaSettings
from tallystick.trainer.release import Release
from tallystick.trust.statements import signing_input

GOVERNANCE_TOPIC = "governance"


class SigningKeyError(ValueError):
    """The key file does not hold an Ed25519 private key in PEM."""


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read an Ed25519 private key (PKCS #8 in PEM, not encrypted).

    Raises:
        SigningKeyError: the file holds something else.
        OSError: it cannot be read.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise SigningKeyError(f"{path}: not an unencrypted private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(f"{path}: not an Ed25519 key")
    return key


def sign_release(release: Release, key: Ed25519PrivateKey, signer: str) -> tuple[ModelVersion, PolicyVersion]:
    """Sign both statements as they are."""

    def sign(kind: str, statement: bytes) -> list[Signature]:
        return [Signature(signer=signer, signature=key.sign(signing_input(kind, statement)))]

    model, policy = release.model_statement, release.policy_statement
    return (
        ModelVersion(statement=model, signatures=sign("ModelStatement", model)),
        PolicyVersion(statement=policy, signatures=sign("PolicyStatement", policy)),
    )


def store_model(release: Release, models_url: str) -> Path:
    """Put the model's file into the models' folder, `file:///…`, under its digest; whole or not at all.

    Raises:
        OSError: it cannot be written.
        ValueError: the address is not a folder's.
    """
    parts = urlsplit(models_url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise ValueError(f"{models_url!r} is not file:///folder")
    folder = Path(unquote(parts.path))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{release.model.digest.hex()}.json"
    replace_file(path, release.model_file)
    return path


async def send_versions(kafka: KafkaSettings, model: ModelVersion, policy: PolicyVersion, release: Release) -> None:
    """Send both records to the governance topic and wait until the brokers have them.

    Raises:
        KafkaError: they do not.
    """
    async with producer(kafka) as sender:
        for kind, statement, record in (("model", release.model, model), ("policy", release.policy, policy)):
            key = f"{kind}_version/{statement.name}-{statement.version}"
            await sender.send_and_wait(GOVERNANCE_TOPIC, key=key.encode(), value=record.SerializeToString())

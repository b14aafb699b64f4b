"""What an activation says next, and who has signed it. Pure: the log's meaning and keys in, records out."""

from base64 import b64encode
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import DecodeError

from tallystick.cli.activate.keys import public_key_of
from tallystick.contracts import Activation, ActivationStatement, ModelStatement, PolicyStatement, Signature
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import Governance
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import CHAMPION
from tallystick.trust.statements import APPROVER, signing_input, verify_signatures

KIND = "ActivationStatement"


class ActivationError(ValueError):
    """The activation would not count; the message says why."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An activation's statement with what it activates."""

    statement: ActivationStatement
    model: ModelStatement
    policy: PolicyStatement


def next_activation(
    governance: Governance, model_digest: bytes, policy_digest: bytes, effective_at_ms: int, slot: str = CHAMPION
) -> ActivationStatement:
    """State the slot's next activation: its number, what it supersedes, and where the log has the model and the policy.

    Raises:
        ActivationError: the log has no such model or policy.
    """
    model, policy = governance.models.get(model_digest), governance.policies.get(policy_digest)
    if model is None:
        raise ActivationError(f"the governance log has no accepted model {model_digest.hex()}")
    if policy is None:
        raise ActivationError(f"the governance log has no accepted policy {policy_digest.hex()}")
    earlier = governance.slot(slot)
    return ActivationStatement(
        slot=slot,
        number=earlier[-1].number + 1 if earlier else 0,
        model_digest=model_digest,
        model_index=model[0],
        policy_digest=policy_digest,
        policy_index=policy[0],
        superseded_index=earlier[-1].index if earlier else None,
        effective_at_ms=effective_at_ms,
    )


def propose(statement: ActivationStatement, key: Ed25519PrivateKey, signer: str, policy: TrustPolicy) -> Activation:
    """Sign a statement as the first of its two approvers.

    Raises:
        ActivationError: the trust policy does not know the signer as an approver with this key.
    """
    return _signed(Activation(statement=statement.SerializeToString(deterministic=True)), key, signer, policy)


def approve(activation: Activation, key: Ed25519PrivateKey, signer: str, policy: TrustPolicy) -> Activation:
    """Add a further approver's signature.

    Raises:
        ActivationError: it is signed by them already, or the trust policy does not know them as an approver with this key.
    """
    return _signed(activation, key, signer, policy)


def open_activation_file(data: bytes, governance: Governance, policy: TrustPolicy) -> Proposal:
    """Read a proposed activation and check that it says what the log calls for now, and that its signatures hold.

    Raises:
        ActivationError: the file is no activation, a signature is not good, or the log has moved on.
    """
    try:
        activation = Activation.FromString(data)
        statement = ActivationStatement.FromString(activation.statement)
    except DecodeError as error:
        raise ActivationError("the file does not hold an activation") from error
    _check_signatures(activation, policy, 1)
    expected = next_activation(
        governance, statement.model_digest, statement.policy_digest, statement.effective_at_ms, statement.slot
    )
    if statement != expected:
        raise ActivationError(
            f"the activation has number {statement.number}, model index {statement.model_index} and policy index"
            f" {statement.policy_index}; the log now calls for {expected.number}, {expected.model_index}"
            f" and {expected.policy_index}: propose it again"
        )
    _, model = governance.models[statement.model_digest]
    _, threshold_policy = governance.policies[statement.policy_digest]
    return Proposal(statement, model, threshold_policy)


def _signed(activation: Activation, key: Ed25519PrivateKey, signer: str, policy: TrustPolicy) -> Activation:
    _check_approver(key, signer, policy)
    signature = Signature(signer=signer, signature=key.sign(signing_input(KIND, activation.statement)))
    signed = Activation(statement=activation.statement, signatures=[*activation.signatures, signature])
    _check_signatures(signed, policy, len(signed.signatures))
    return signed


def _check_approver(key: Ed25519PrivateKey, name: str, policy: TrustPolicy) -> None:
    known = next((signer for signer in policy.signers if signer.name == name), None)
    if known is None:
        raise ActivationError(f"the trust policy does not know {name!r}")
    if b64encode(known.public_key).decode() != public_key_of(key):
        raise ActivationError(f"the key is not the one that the trust policy has for {name!r}")


def _check_signatures(activation: Activation, policy: TrustPolicy, minimum: int) -> None:
    try:
        verify_signatures(KIND, activation.statement, activation.signatures, policy.signers, APPROVER, minimum)
    except TrustError as error:
        raise ActivationError(f"the activation is not well signed: {error}") from error

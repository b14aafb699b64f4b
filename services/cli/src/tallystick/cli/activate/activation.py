"""What an activation says next. Pure: the log's meaning in, records out."""

from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from tallystick.cli.approval import ApprovalError, Proposed, check_signatures
from tallystick.contracts import Activation, ActivationStatement
from tallystick.trust.governance import Governance
from tallystick.trust.records import CHAMPION


def next_activation(
    governance: Governance, model_digest: bytes, policy_digest: bytes, effective_at_ms: int, slot: str = CHAMPION
) -> ActivationStatement:
    """State the slot's next activation: its number, what it supersedes, and where the log has the model and the policy.

    Raises:
        ApprovalError: the log has no such model or policy.
    """
    model, policy = governance.models.get(model_digest), governance.policies.get(policy_digest)
    if model is None:
        raise ApprovalError(f"the governance log has no accepted model {model_digest.hex()}")
    if policy is None:
        raise ApprovalError(f"the governance log has no accepted policy {policy_digest.hex()}")
    earlier = governance.slot(slot)
    return ActivationStatement(
        log=governance.roster.log,
        slot=slot,
        number=earlier[-1].number + 1 if earlier else 0,
        model_digest=model_digest,
        model_index=model[0],
        policy_digest=policy_digest,
        policy_index=policy[0],
        superseded_index=earlier[-1].index if earlier else None,
        effective_at_ms=effective_at_ms,
    )


def open_activation(data: bytes, governance: Governance) -> Proposed[Activation]:
    """Read a proposed activation and check that it says what the log calls for now, and that its signatures hold.

    Raises:
        ApprovalError: the file is no activation, a signature is not good, or the log has moved on.
    """
    try:
        activation = Activation.FromString(data)
        statement = ActivationStatement.FromString(activation.statement)
    except DecodeError as error:
        raise ApprovalError("the file does not hold an activation") from error
    check_signatures(activation, governance.roster, 1)
    expected = next_activation(
        governance, statement.model_digest, statement.policy_digest, statement.effective_at_ms, statement.slot
    )
    if statement != expected:
        raise ApprovalError(
            f"the activation has number {statement.number}, model index {statement.model_index} and policy index"
            f" {statement.policy_index}; the log now calls for {expected.number}, {expected.model_index}"
            f" and {expected.policy_index}: propose it again"
        )
    return Proposed(activation, f"activation/{statement.slot}-{statement.number}", _summary(statement, governance))


def _summary(statement: ActivationStatement, governance: Governance) -> str:
    (_, model), (_, policy) = governance.models[statement.model_digest], governance.policies[statement.policy_digest]
    effective_at = datetime.fromtimestamp(statement.effective_at_ms / 1000, UTC).isoformat(" ", "milliseconds")
    figures = ", ".join(f"{name} {value:.4g}" for name, value in sorted(model.metrics.items()))
    superseded = f", supersedes index {statement.superseded_index}" if statement.HasField("superseded_index") else ""
    return (
        f"activation {statement.number} of {statement.slot}{superseded}, in force from {effective_at}\n"
        f"  model  {model.name} {model.version}, index {statement.model_index}, SHA-256 {statement.model_digest.hex()}\n"
        f"         {model.engine}; held out: {figures or 'no figures'}\n"
        f"  policy {policy.name} {policy.version}, index {statement.policy_index}, SHA-256 {statement.policy_digest.hex()}\n"
        f"         decline from margin {policy.decline_margin:.6g}, review from {policy.review_margin:.6g}\n"
    )

"""What an activation says next. Pure: the log's meaning in, records out."""

from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from tallystick.cli.approval import ApprovalError, Proposed, check_signatures
from tallystick.cli.policy.publishing import check_rules
from tallystick.contracts import Activation, ActivationStatement, ListKind, Outcome, PolicyStatement
from tallystick.trust.governance import Governance
from tallystick.trust.records import CHAMPION, RecordError, check_slot


def next_activation(
    governance: Governance,
    model_digest: bytes | None,
    policy_digest: bytes | None,
    effective_at_ms: int,
    slot: str = CHAMPION,
    until_ms: int | None = None,
) -> ActivationStatement:
    """State the slot's next activation: its number, what it supersedes, and where the log has the model and the policy.

    A model or policy that is not given stays the slot's present one; in a slot that has none yet, the champion's.

    Raises:
        ApprovalError: the log would not accept it, the policy's rules do not fit the model's features, or a challenger's
            features are not the champion's.
    """
    earlier = governance.slot(slot)
    if model_digest is None or policy_digest is None:
        present = (earlier or governance.slot(CHAMPION))[-1:]
        if not present:
            raise ApprovalError("nothing is active yet: say which model and which policy")
        model_digest = model_digest or present[0].model_digest
        policy_digest = policy_digest or present[0].policy_digest
    model, policy = governance.models.get(model_digest), governance.policies.get(policy_digest)
    if model is None:
        raise ApprovalError(f"the governance log has no accepted model {model_digest.hex()}")
    if policy is None:
        raise ApprovalError(f"the governance log has no accepted policy {policy_digest.hex()}")
    check_rules(policy[1], model[1].feature_schema)
    champion = governance.slot(CHAMPION)[-1:]
    if slot != CHAMPION and not (champion and champion[0].model.feature_schema == model[1].feature_schema):
        raise ApprovalError("a challenger sees the champion's features: its feature schema must be the champion's, to the byte")
    statement = ActivationStatement(
        log=governance.roster.log,
        slot=slot,
        number=earlier[-1].number + 1 if earlier else 0,
        model_digest=model_digest,
        model_index=model[0],
        policy_digest=policy_digest,
        policy_index=policy[0],
        superseded_index=earlier[-1].index if earlier else None,
        effective_at_ms=effective_at_ms,
        until_ms=until_ms,
    )
    try:
        check_slot(statement, governance.roster.log)
    except RecordError as error:
        raise ApprovalError(f"the log would not accept it: {error}") from error
    return statement


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
        governance,
        statement.model_digest,
        statement.policy_digest,
        statement.effective_at_ms,
        statement.slot,
        statement.until_ms if statement.HasField("until_ms") else None,
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
    effective_at = _utc(statement.effective_at_ms)
    until = f" until {_utc(statement.until_ms)}" if statement.HasField("until_ms") else ""
    figures = ", ".join(f"{name} {value:.4g}" for name, value in sorted(model.metrics.items()))
    superseded = f", supersedes index {statement.superseded_index}" if statement.HasField("superseded_index") else ""
    return (
        f"activation {statement.number} of {statement.slot}{superseded}, in force from {effective_at}{until}\n"
        f"  model  {model.name} {model.version}, index {statement.model_index}, SHA-256 {statement.model_digest.hex()}\n"
        f"         {model.engine}; held out: {figures or 'no figures'}\n"
        f"  policy {policy.name} {policy.version}, index {statement.policy_index}, SHA-256 {statement.policy_digest.hex()}\n"
        f"         decline from margin {policy.decline_margin:.6g}, review from {policy.review_margin:.6g}\n"
        + "".join(f"         {line}\n" for line in _rules(policy))
    )


def _rules(policy: PolicyStatement) -> list[str]:
    """Return the policy's lists and rules, a line each; an expression may have been written over several."""
    kinds = [ListKind.Name(item.kind).removeprefix("LIST_KIND_").lower() for item in policy.lists]
    lists = [f"{kind} list {item.name}: {item.entries:,} entries" for kind, item in zip(kinds, policy.lists, strict=True)]
    outcomes = [Outcome.Name(rule.outcome).removeprefix("OUTCOME_") for rule in policy.rules]
    pairs = zip(outcomes, policy.rules, strict=True)
    return [*lists, *(f"rule {rule.name}: {outcome} when {' '.join(rule.when.split())}" for outcome, rule in pairs)]


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(" ", "milliseconds")

"""What a sound bundle amounts to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tallystick.contracts import Decision, LogEntry, ModelStatement, PolicyStatement
from tallystick.merkle.policy import VerifiedCheckpoint
from tallystick.trust.anchors.verifying import VerifiedAnchor
from tallystick.trust.enrolments import SignedEnrolment
from tallystick.trust.governance import VerifiedActivation
from tallystick.trust.records import SignedModel, SignedPolicy


@dataclass(frozen=True, slots=True)
class VerifiedGovernance:
    """What a decision was made under: each record with who signed it, and the checkpoint that all of them are under.

    `enrolments` are those by which the signers who are no founders came to sign.
    """

    model: SignedModel
    policy: SignedPolicy
    activation: VerifiedActivation
    checkpoint: VerifiedCheckpoint
    enrolments: tuple[SignedEnrolment, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """A decision that can be relied on.

    `index` is its place in the log, `governance` what it was made under (None where no activation was in force), `disclosures`
    the opened groups by name, `anchors` who knew it outside and since when, `checks` and `unchecked` what was and was not
    checked, in plain words.
    """

    entry: LogEntry
    decision: Decision
    index: int
    checkpoint: VerifiedCheckpoint
    governance: VerifiedGovernance | None
    disclosures: Mapping[str, bytes]
    anchors: Sequence[VerifiedAnchor]
    checks: list[str]
    unchecked: list[str]

    @property
    def model(self) -> ModelStatement | None:
        """The statement of the model in force."""
        return self.governance.model.statement if self.governance else None

    @property
    def policy(self) -> PolicyStatement | None:
        """The statement of the policy in force."""
        return self.governance.policy.statement if self.governance else None

    @property
    def activation(self) -> VerifiedActivation | None:
        """The activation in force."""
        return self.governance.activation if self.governance else None

"""The records that Tallystick's parts exchange, generated from `proto/`.

Use them from here (`from tallystick.contracts import Decision`); `v1` is the generated code. What makes a record valid is not
here but in `tallystick.trust`.
"""

from tallystick.contracts.v1.decision_pb2 import Commitment, Decision, DisclosureGroup, Outcome, ReasonCode
from tallystick.contracts.v1.evidence_pb2 import (
    ChallengerMargin,
    Contribution,
    Disclosure,
    Evidence,
    EvidenceBody,
    Explanation,
    FeatureVector,
    Identity,
    TransactionDetails,
)
from tallystick.contracts.v1.governance_pb2 import (
    Activation,
    ActivationStatement,
    Enrolment,
    EnrolmentStatement,
    Erasure,
    Incident,
    IncidentStatement,
    ListKind,
    ListSubject,
    LogKey,
    LogKeyStatement,
    ModelStatement,
    ModelVersion,
    PolicyList,
    PolicyRule,
    PolicyStatement,
    PolicyVersion,
    Report,
    Signature,
    Topology,
)
from tallystick.contracts.v1.log_pb2 import EntryKind, LogEntry, Malformed
from tallystick.contracts.v1.profile_pb2 import Profile, ProfileWindow
from tallystick.contracts.v1.seal_pb2 import Seal, SealedPartition, SealStatement
from tallystick.contracts.v1.transaction_pb2 import Label, Transaction, Verdict

__all__ = [
    "Activation",
    "ActivationStatement",
    "ChallengerMargin",
    "Commitment",
    "Contribution",
    "Decision",
    "Disclosure",
    "DisclosureGroup",
    "Enrolment",
    "EnrolmentStatement",
    "EntryKind",
    "Erasure",
    "Evidence",
    "EvidenceBody",
    "Explanation",
    "FeatureVector",
    "Identity",
    "Incident",
    "IncidentStatement",
    "Label",
    "ListKind",
    "ListSubject",
    "LogEntry",
    "LogKey",
    "LogKeyStatement",
    "Malformed",
    "ModelStatement",
    "ModelVersion",
    "Outcome",
    "PolicyList",
    "PolicyRule",
    "PolicyStatement",
    "PolicyVersion",
    "Profile",
    "ProfileWindow",
    "ReasonCode",
    "Report",
    "Seal",
    "SealStatement",
    "SealedPartition",
    "Signature",
    "Topology",
    "Transaction",
    "TransactionDetails",
    "Verdict",
]

from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DisclosureGroup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISCLOSURE_GROUP_UNSPECIFIED: _ClassVar[DisclosureGroup]
    DISCLOSURE_GROUP_IDENTITY: _ClassVar[DisclosureGroup]
    DISCLOSURE_GROUP_TRANSACTION: _ClassVar[DisclosureGroup]
    DISCLOSURE_GROUP_FEATURES: _ClassVar[DisclosureGroup]
    DISCLOSURE_GROUP_EXPLANATION: _ClassVar[DisclosureGroup]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_APPROVE: _ClassVar[Outcome]
    OUTCOME_REVIEW: _ClassVar[Outcome]
    OUTCOME_DECLINE: _ClassVar[Outcome]
    OUTCOME_REJECTED: _ClassVar[Outcome]

class ReasonCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_CODE_UNSPECIFIED: _ClassVar[ReasonCode]
    REASON_CODE_MARGIN_DECLINE: _ClassVar[ReasonCode]
    REASON_CODE_MARGIN_REVIEW: _ClassVar[ReasonCode]
    REASON_CODE_RULE_DECLINE: _ClassVar[ReasonCode]
    REASON_CODE_RULE_REVIEW: _ClassVar[ReasonCode]
    REASON_CODE_RULE_APPROVE: _ClassVar[ReasonCode]
    REASON_CODE_LIST_BLOCK: _ClassVar[ReasonCode]
    REASON_CODE_LIST_WATCH: _ClassVar[ReasonCode]
    REASON_CODE_LIST_ALLOW: _ClassVar[ReasonCode]
    REASON_CODE_PROFILE_STALE: _ClassVar[ReasonCode]
    REASON_CODE_VALUE_NULL: _ClassVar[ReasonCode]
    REASON_CODE_RECORD_TOO_LARGE: _ClassVar[ReasonCode]
    REASON_CODE_CONTENT_TYPE_UNKNOWN: _ClassVar[ReasonCode]
    REASON_CODE_PROTOBUF_MALFORMED: _ClassVar[ReasonCode]
    REASON_CODE_JSON_MALFORMED: _ClassVar[ReasonCode]
    REASON_CODE_FIELD_MISSING: _ClassVar[ReasonCode]
    REASON_CODE_FIELD_TOO_LARGE: _ClassVar[ReasonCode]
    REASON_CODE_FIELD_CHARACTERS: _ClassVar[ReasonCode]
    REASON_CODE_AMOUNT_NEGATIVE: _ClassVar[ReasonCode]
    REASON_CODE_AMOUNT_NOT_FINITE: _ClassVar[ReasonCode]
    REASON_CODE_AMOUNT_TOO_LARGE: _ClassVar[ReasonCode]
    REASON_CODE_CURRENCY_UNKNOWN: _ClassVar[ReasonCode]
    REASON_CODE_EVENT_TIME_SKEWED: _ClassVar[ReasonCode]
    REASON_CODE_TRANSACTION_REPEATED: _ClassVar[ReasonCode]
    REASON_CODE_KEY_MISMATCH: _ClassVar[ReasonCode]
    REASON_CODE_PARTITION_MISMATCH: _ClassVar[ReasonCode]
    REASON_CODE_ATTRIBUTE_NOT_FINITE: _ClassVar[ReasonCode]
    REASON_CODE_ATTRIBUTE_MISSING: _ClassVar[ReasonCode]
    REASON_CODE_NO_ACTIVE_MODEL: _ClassVar[ReasonCode]
DISCLOSURE_GROUP_UNSPECIFIED: DisclosureGroup
DISCLOSURE_GROUP_IDENTITY: DisclosureGroup
DISCLOSURE_GROUP_TRANSACTION: DisclosureGroup
DISCLOSURE_GROUP_FEATURES: DisclosureGroup
DISCLOSURE_GROUP_EXPLANATION: DisclosureGroup
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_APPROVE: Outcome
OUTCOME_REVIEW: Outcome
OUTCOME_DECLINE: Outcome
OUTCOME_REJECTED: Outcome
REASON_CODE_UNSPECIFIED: ReasonCode
REASON_CODE_MARGIN_DECLINE: ReasonCode
REASON_CODE_MARGIN_REVIEW: ReasonCode
REASON_CODE_RULE_DECLINE: ReasonCode
REASON_CODE_RULE_REVIEW: ReasonCode
REASON_CODE_RULE_APPROVE: ReasonCode
REASON_CODE_LIST_BLOCK: ReasonCode
REASON_CODE_LIST_WATCH: ReasonCode
REASON_CODE_LIST_ALLOW: ReasonCode
REASON_CODE_PROFILE_STALE: ReasonCode
REASON_CODE_VALUE_NULL: ReasonCode
REASON_CODE_RECORD_TOO_LARGE: ReasonCode
REASON_CODE_CONTENT_TYPE_UNKNOWN: ReasonCode
REASON_CODE_PROTOBUF_MALFORMED: ReasonCode
REASON_CODE_JSON_MALFORMED: ReasonCode
REASON_CODE_FIELD_MISSING: ReasonCode
REASON_CODE_FIELD_TOO_LARGE: ReasonCode
REASON_CODE_FIELD_CHARACTERS: ReasonCode
REASON_CODE_AMOUNT_NEGATIVE: ReasonCode
REASON_CODE_AMOUNT_NOT_FINITE: ReasonCode
REASON_CODE_AMOUNT_TOO_LARGE: ReasonCode
REASON_CODE_CURRENCY_UNKNOWN: ReasonCode
REASON_CODE_EVENT_TIME_SKEWED: ReasonCode
REASON_CODE_TRANSACTION_REPEATED: ReasonCode
REASON_CODE_KEY_MISMATCH: ReasonCode
REASON_CODE_PARTITION_MISMATCH: ReasonCode
REASON_CODE_ATTRIBUTE_NOT_FINITE: ReasonCode
REASON_CODE_ATTRIBUTE_MISSING: ReasonCode
REASON_CODE_NO_ACTIVE_MODEL: ReasonCode

class Decision(_message.Message):
    __slots__ = ("source_topic", "source_partition", "source_offset", "sequence", "chain", "decided_at_ms", "outcome", "reasons", "margin_bits", "score", "model_digest", "policy_digest", "feature_schema_digest", "activation_index", "evidence_digest", "commitments", "applied")
    SOURCE_TOPIC_FIELD_NUMBER: _ClassVar[int]
    SOURCE_PARTITION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    MARGIN_BITS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FEATURE_SCHEMA_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_INDEX_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    COMMITMENTS_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    source_topic: str
    source_partition: int
    source_offset: int
    sequence: int
    chain: bytes
    decided_at_ms: int
    outcome: Outcome
    reasons: _containers.RepeatedScalarFieldContainer[ReasonCode]
    margin_bits: int
    score: int
    model_digest: bytes
    policy_digest: bytes
    feature_schema_digest: bytes
    activation_index: int
    evidence_digest: bytes
    commitments: _containers.RepeatedCompositeFieldContainer[Commitment]
    applied: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, source_topic: _Optional[str] = ..., source_partition: _Optional[int] = ..., source_offset: _Optional[int] = ..., sequence: _Optional[int] = ..., chain: _Optional[bytes] = ..., decided_at_ms: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reasons: _Optional[_Iterable[_Union[ReasonCode, str]]] = ..., margin_bits: _Optional[int] = ..., score: _Optional[int] = ..., model_digest: _Optional[bytes] = ..., policy_digest: _Optional[bytes] = ..., feature_schema_digest: _Optional[bytes] = ..., activation_index: _Optional[int] = ..., evidence_digest: _Optional[bytes] = ..., commitments: _Optional[_Iterable[_Union[Commitment, _Mapping]]] = ..., applied: _Optional[_Iterable[str]] = ...) -> None: ...

class Commitment(_message.Message):
    __slots__ = ("group", "digest")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    group: DisclosureGroup
    digest: bytes
    def __init__(self, group: _Optional[_Union[DisclosureGroup, str]] = ..., digest: _Optional[bytes] = ...) -> None: ...

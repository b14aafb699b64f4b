from tallystick.contracts.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Basis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BASIS_UNSPECIFIED: _ClassVar[Basis]
    BASIS_DECISION: _ClassVar[Basis]
    BASIS_FALLBACK: _ClassVar[Basis]

class FallbackReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FALLBACK_REASON_UNSPECIFIED: _ClassVar[FallbackReason]
    FALLBACK_REASON_DEADLINE: _ClassVar[FallbackReason]
    FALLBACK_REASON_SCORING_SILENT: _ClassVar[FallbackReason]
    FALLBACK_REASON_KAFKA_SILENT: _ClassVar[FallbackReason]
BASIS_UNSPECIFIED: Basis
BASIS_DECISION: Basis
BASIS_FALLBACK: Basis
FALLBACK_REASON_UNSPECIFIED: FallbackReason
FALLBACK_REASON_DEADLINE: FallbackReason
FALLBACK_REASON_SCORING_SILENT: FallbackReason
FALLBACK_REASON_KAFKA_SILENT: FallbackReason

class Answer(_message.Message):
    __slots__ = ("transaction_id", "outcome", "basis", "score", "reasons", "fallback_reason", "source_topic", "source_partition", "source_offset", "sequence", "decided_at_ms", "proof_url", "end_to_end_id", "applied")
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_REASON_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TOPIC_FIELD_NUMBER: _ClassVar[int]
    SOURCE_PARTITION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    PROOF_URL_FIELD_NUMBER: _ClassVar[int]
    END_TO_END_ID_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    transaction_id: str
    outcome: _decision_pb2.Outcome
    basis: Basis
    score: int
    reasons: _containers.RepeatedScalarFieldContainer[_decision_pb2.ReasonCode]
    fallback_reason: FallbackReason
    source_topic: str
    source_partition: int
    source_offset: int
    sequence: int
    decided_at_ms: int
    proof_url: str
    end_to_end_id: str
    applied: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, transaction_id: _Optional[str] = ..., outcome: _Optional[_Union[_decision_pb2.Outcome, str]] = ..., basis: _Optional[_Union[Basis, str]] = ..., score: _Optional[int] = ..., reasons: _Optional[_Iterable[_Union[_decision_pb2.ReasonCode, str]]] = ..., fallback_reason: _Optional[_Union[FallbackReason, str]] = ..., source_topic: _Optional[str] = ..., source_partition: _Optional[int] = ..., source_offset: _Optional[int] = ..., sequence: _Optional[int] = ..., decided_at_ms: _Optional[int] = ..., proof_url: _Optional[str] = ..., end_to_end_id: _Optional[str] = ..., applied: _Optional[_Iterable[str]] = ...) -> None: ...

class Answers(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    def __init__(self, answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ...) -> None: ...

class Fallback(_message.Message):
    __slots__ = ("spool", "number", "source_topic", "source_partition", "source_offset", "outcome", "reason", "channel", "answered_at_ms", "withdrawn")
    SPOOL_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TOPIC_FIELD_NUMBER: _ClassVar[int]
    SOURCE_PARTITION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    spool: bytes
    number: int
    source_topic: str
    source_partition: int
    source_offset: int
    outcome: _decision_pb2.Outcome
    reason: FallbackReason
    channel: str
    answered_at_ms: int
    withdrawn: bool
    def __init__(self, spool: _Optional[bytes] = ..., number: _Optional[int] = ..., source_topic: _Optional[str] = ..., source_partition: _Optional[int] = ..., source_offset: _Optional[int] = ..., outcome: _Optional[_Union[_decision_pb2.Outcome, str]] = ..., reason: _Optional[_Union[FallbackReason, str]] = ..., channel: _Optional[str] = ..., answered_at_ms: _Optional[int] = ..., withdrawn: _Optional[bool] = ...) -> None: ...

class SpooledFallback(_message.Message):
    __slots__ = ("fallback", "sent", "from_offset", "transaction", "received_at_ms", "request", "owner")
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    FROM_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    fallback: Fallback
    sent: bool
    from_offset: int
    transaction: bytes
    received_at_ms: int
    request: bytes
    owner: bytes
    def __init__(self, fallback: _Optional[_Union[Fallback, _Mapping]] = ..., sent: _Optional[bool] = ..., from_offset: _Optional[int] = ..., transaction: _Optional[bytes] = ..., received_at_ms: _Optional[int] = ..., request: _Optional[bytes] = ..., owner: _Optional[bytes] = ...) -> None: ...

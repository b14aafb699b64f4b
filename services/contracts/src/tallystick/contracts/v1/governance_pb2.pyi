from tallystick.contracts.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIST_KIND_UNSPECIFIED: _ClassVar[ListKind]
    LIST_KIND_ALLOW: _ClassVar[ListKind]
    LIST_KIND_BLOCK: _ClassVar[ListKind]
    LIST_KIND_WATCH: _ClassVar[ListKind]

class ListSubject(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIST_SUBJECT_UNSPECIFIED: _ClassVar[ListSubject]
    LIST_SUBJECT_CUSTOMER: _ClassVar[ListSubject]
    LIST_SUBJECT_TERMINAL: _ClassVar[ListSubject]
    LIST_SUBJECT_MERCHANT: _ClassVar[ListSubject]

class HoldEvent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HOLD_EVENT_UNSPECIFIED: _ClassVar[HoldEvent]
    HOLD_EVENT_PLACED: _ClassVar[HoldEvent]
    HOLD_EVENT_ERASURE_REFUSED: _ClassVar[HoldEvent]
    HOLD_EVENT_LIFTED: _ClassVar[HoldEvent]
LIST_KIND_UNSPECIFIED: ListKind
LIST_KIND_ALLOW: ListKind
LIST_KIND_BLOCK: ListKind
LIST_KIND_WATCH: ListKind
LIST_SUBJECT_UNSPECIFIED: ListSubject
LIST_SUBJECT_CUSTOMER: ListSubject
LIST_SUBJECT_TERMINAL: ListSubject
LIST_SUBJECT_MERCHANT: ListSubject
HOLD_EVENT_UNSPECIFIED: HoldEvent
HOLD_EVENT_PLACED: HoldEvent
HOLD_EVENT_ERASURE_REFUSED: HoldEvent
HOLD_EVENT_LIFTED: HoldEvent

class Signature(_message.Message):
    __slots__ = ("signer", "signature")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signer: str
    signature: bytes
    def __init__(self, signer: _Optional[str] = ..., signature: _Optional[bytes] = ...) -> None: ...

class ModelVersion(_message.Message):
    __slots__ = ("statement", "signatures")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    def __init__(self, statement: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ...) -> None: ...

class ModelStatement(_message.Message):
    __slots__ = ("name", "version", "digest", "size_bytes", "format", "engine", "feature_schema", "training_data_digest", "metrics", "card", "created_at_ms")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    FEATURE_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    TRAINING_DATA_DIGEST_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    digest: bytes
    size_bytes: int
    format: str
    engine: str
    feature_schema: bytes
    training_data_digest: bytes
    metrics: _containers.ScalarMap[str, float]
    card: str
    created_at_ms: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[bytes] = ..., size_bytes: _Optional[int] = ..., format: _Optional[str] = ..., engine: _Optional[str] = ..., feature_schema: _Optional[bytes] = ..., training_data_digest: _Optional[bytes] = ..., metrics: _Optional[_Mapping[str, float]] = ..., card: _Optional[str] = ..., created_at_ms: _Optional[int] = ...) -> None: ...

class PolicyVersion(_message.Message):
    __slots__ = ("statement", "signatures")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    def __init__(self, statement: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ...) -> None: ...

class PolicyStatement(_message.Message):
    __slots__ = ("name", "version", "decline_margin", "review_margin", "event_time_tolerance_ms", "max_value_bytes", "created_at_ms", "rules", "lists")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DECLINE_MARGIN_FIELD_NUMBER: _ClassVar[int]
    REVIEW_MARGIN_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_TOLERANCE_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_VALUE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    decline_margin: float
    review_margin: float
    event_time_tolerance_ms: int
    max_value_bytes: int
    created_at_ms: int
    rules: _containers.RepeatedCompositeFieldContainer[PolicyRule]
    lists: _containers.RepeatedCompositeFieldContainer[PolicyList]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., decline_margin: _Optional[float] = ..., review_margin: _Optional[float] = ..., event_time_tolerance_ms: _Optional[int] = ..., max_value_bytes: _Optional[int] = ..., created_at_ms: _Optional[int] = ..., rules: _Optional[_Iterable[_Union[PolicyRule, _Mapping]]] = ..., lists: _Optional[_Iterable[_Union[PolicyList, _Mapping]]] = ...) -> None: ...

class PolicyRule(_message.Message):
    __slots__ = ("name", "outcome", "when", "about")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    outcome: _decision_pb2.Outcome
    when: str
    about: str
    def __init__(self, name: _Optional[str] = ..., outcome: _Optional[_Union[_decision_pb2.Outcome, str]] = ..., when: _Optional[str] = ..., about: _Optional[str] = ...) -> None: ...

class PolicyList(_message.Message):
    __slots__ = ("name", "kind", "subject", "digest", "entries", "salt", "about")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: ListKind
    subject: ListSubject
    digest: bytes
    entries: int
    salt: bytes
    about: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[ListKind, str]] = ..., subject: _Optional[_Union[ListSubject, str]] = ..., digest: _Optional[bytes] = ..., entries: _Optional[int] = ..., salt: _Optional[bytes] = ..., about: _Optional[str] = ...) -> None: ...

class Activation(_message.Message):
    __slots__ = ("statement", "signatures")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    def __init__(self, statement: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ...) -> None: ...

class ActivationStatement(_message.Message):
    __slots__ = ("slot", "number", "model_digest", "model_index", "policy_digest", "policy_index", "superseded_index", "effective_at_ms", "log", "until_ms")
    SLOT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MODEL_INDEX_FIELD_NUMBER: _ClassVar[int]
    POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    POLICY_INDEX_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDED_INDEX_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    slot: str
    number: int
    model_digest: bytes
    model_index: int
    policy_digest: bytes
    policy_index: int
    superseded_index: int
    effective_at_ms: int
    log: str
    until_ms: int
    def __init__(self, slot: _Optional[str] = ..., number: _Optional[int] = ..., model_digest: _Optional[bytes] = ..., model_index: _Optional[int] = ..., policy_digest: _Optional[bytes] = ..., policy_index: _Optional[int] = ..., superseded_index: _Optional[int] = ..., effective_at_ms: _Optional[int] = ..., log: _Optional[str] = ..., until_ms: _Optional[int] = ...) -> None: ...

class Enrolment(_message.Message):
    __slots__ = ("statement", "signatures")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    def __init__(self, statement: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ...) -> None: ...

class EnrolmentStatement(_message.Message):
    __slots__ = ("log", "signer", "public_key", "roles", "superseded_index")
    LOG_FIELD_NUMBER: _ClassVar[int]
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDED_INDEX_FIELD_NUMBER: _ClassVar[int]
    log: str
    signer: str
    public_key: bytes
    roles: _containers.RepeatedScalarFieldContainer[str]
    superseded_index: int
    def __init__(self, log: _Optional[str] = ..., signer: _Optional[str] = ..., public_key: _Optional[bytes] = ..., roles: _Optional[_Iterable[str]] = ..., superseded_index: _Optional[int] = ...) -> None: ...

class LogKey(_message.Message):
    __slots__ = ("statement", "signatures")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    def __init__(self, statement: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ...) -> None: ...

class LogKeyStatement(_message.Message):
    __slots__ = ("log", "origin", "public_key", "last_size")
    LOG_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    LAST_SIZE_FIELD_NUMBER: _ClassVar[int]
    log: str
    origin: str
    public_key: bytes
    last_size: int
    def __init__(self, log: _Optional[str] = ..., origin: _Optional[str] = ..., public_key: _Optional[bytes] = ..., last_size: _Optional[int] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("subject", "from_ms", "to_ms", "figures", "summary")
    class FiguresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    FROM_MS_FIELD_NUMBER: _ClassVar[int]
    TO_MS_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    subject: str
    from_ms: int
    to_ms: int
    figures: _containers.ScalarMap[str, float]
    summary: str
    def __init__(self, subject: _Optional[str] = ..., from_ms: _Optional[int] = ..., to_ms: _Optional[int] = ..., figures: _Optional[_Mapping[str, float]] = ..., summary: _Optional[str] = ...) -> None: ...

class Erasure(_message.Message):
    __slots__ = ("key_ids", "requested_at_ms", "effective_at_ms", "tokens")
    KEY_IDS_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    key_ids: _containers.RepeatedScalarFieldContainer[bytes]
    requested_at_ms: int
    effective_at_ms: int
    tokens: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, key_ids: _Optional[_Iterable[bytes]] = ..., requested_at_ms: _Optional[int] = ..., effective_at_ms: _Optional[int] = ..., tokens: _Optional[_Iterable[bytes]] = ...) -> None: ...

class LegalHold(_message.Message):
    __slots__ = ("key_ids", "at_ms", "event")
    KEY_IDS_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    key_ids: _containers.RepeatedScalarFieldContainer[bytes]
    at_ms: int
    event: HoldEvent
    def __init__(self, key_ids: _Optional[_Iterable[bytes]] = ..., at_ms: _Optional[int] = ..., event: _Optional[_Union[HoldEvent, str]] = ...) -> None: ...

class Incident(_message.Message):
    __slots__ = ("statement", "signatures")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    def __init__(self, statement: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ...) -> None: ...

class IncidentStatement(_message.Message):
    __slots__ = ("topic", "partition", "from_sequence", "to_sequence", "explanation", "log", "record_offset")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TO_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    RECORD_OFFSET_FIELD_NUMBER: _ClassVar[int]
    topic: str
    partition: int
    from_sequence: int
    to_sequence: int
    explanation: str
    log: str
    record_offset: int
    def __init__(self, topic: _Optional[str] = ..., partition: _Optional[int] = ..., from_sequence: _Optional[int] = ..., to_sequence: _Optional[int] = ..., explanation: _Optional[str] = ..., log: _Optional[str] = ..., record_offset: _Optional[int] = ...) -> None: ...

class Topology(_message.Message):
    __slots__ = ("topic", "partitions", "partitioner", "origins")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    PARTITIONER_FIELD_NUMBER: _ClassVar[int]
    ORIGINS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    partitions: int
    partitioner: str
    origins: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, topic: _Optional[str] = ..., partitions: _Optional[int] = ..., partitioner: _Optional[str] = ..., origins: _Optional[_Iterable[str]] = ...) -> None: ...

class AccessDigest(_message.Message):
    __slots__ = ("batch", "records", "digest", "previous", "until_ms")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    batch: int
    records: int
    digest: bytes
    previous: bytes
    until_ms: int
    def __init__(self, batch: _Optional[int] = ..., records: _Optional[int] = ..., digest: _Optional[bytes] = ..., previous: _Optional[bytes] = ..., until_ms: _Optional[int] = ...) -> None: ...

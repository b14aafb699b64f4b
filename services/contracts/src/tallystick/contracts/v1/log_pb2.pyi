from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENTRY_KIND_UNSPECIFIED: _ClassVar[EntryKind]
    ENTRY_KIND_DECISION: _ClassVar[EntryKind]
    ENTRY_KIND_MODEL_VERSION: _ClassVar[EntryKind]
    ENTRY_KIND_POLICY_VERSION: _ClassVar[EntryKind]
    ENTRY_KIND_ACTIVATION: _ClassVar[EntryKind]
    ENTRY_KIND_REPORT: _ClassVar[EntryKind]
    ENTRY_KIND_ERASURE: _ClassVar[EntryKind]
    ENTRY_KIND_INCIDENT: _ClassVar[EntryKind]
    ENTRY_KIND_TOPOLOGY: _ClassVar[EntryKind]
    ENTRY_KIND_SEAL: _ClassVar[EntryKind]
    ENTRY_KIND_MALFORMED: _ClassVar[EntryKind]
    ENTRY_KIND_ENROLMENT: _ClassVar[EntryKind]
    ENTRY_KIND_LOG_KEY: _ClassVar[EntryKind]
    ENTRY_KIND_FALLBACK: _ClassVar[EntryKind]
    ENTRY_KIND_ACCESS_DIGEST: _ClassVar[EntryKind]
    ENTRY_KIND_LEGAL_HOLD: _ClassVar[EntryKind]
ENTRY_KIND_UNSPECIFIED: EntryKind
ENTRY_KIND_DECISION: EntryKind
ENTRY_KIND_MODEL_VERSION: EntryKind
ENTRY_KIND_POLICY_VERSION: EntryKind
ENTRY_KIND_ACTIVATION: EntryKind
ENTRY_KIND_REPORT: EntryKind
ENTRY_KIND_ERASURE: EntryKind
ENTRY_KIND_INCIDENT: EntryKind
ENTRY_KIND_TOPOLOGY: EntryKind
ENTRY_KIND_SEAL: EntryKind
ENTRY_KIND_MALFORMED: EntryKind
ENTRY_KIND_ENROLMENT: EntryKind
ENTRY_KIND_LOG_KEY: EntryKind
ENTRY_KIND_FALLBACK: EntryKind
ENTRY_KIND_ACCESS_DIGEST: EntryKind
ENTRY_KIND_LEGAL_HOLD: EntryKind

class LogEntry(_message.Message):
    __slots__ = ("kind", "topic", "partition", "offset", "timestamp_ms", "value")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    kind: EntryKind
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    value: bytes
    def __init__(self, kind: _Optional[_Union[EntryKind, str]] = ..., topic: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., timestamp_ms: _Optional[int] = ..., value: _Optional[bytes] = ...) -> None: ...

class Malformed(_message.Message):
    __slots__ = ("digest", "size_bytes", "reason")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    size_bytes: int
    reason: str
    def __init__(self, digest: _Optional[bytes] = ..., size_bytes: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

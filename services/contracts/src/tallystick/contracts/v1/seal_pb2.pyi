from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Seal(_message.Message):
    __slots__ = ("statement", "sealer", "signature")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SEALER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    sealer: str
    signature: bytes
    def __init__(self, statement: _Optional[bytes] = ..., sealer: _Optional[str] = ..., signature: _Optional[bytes] = ...) -> None: ...

class SealStatement(_message.Message):
    __slots__ = ("topic", "cluster_id", "partition_count", "partitions", "sealed_at_ms", "previous_digest", "number", "sources")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    PARTITION_COUNT_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    SEALED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    topic: str
    cluster_id: str
    partition_count: int
    partitions: _containers.RepeatedCompositeFieldContainer[SealedPartition]
    sealed_at_ms: int
    previous_digest: bytes
    number: int
    sources: _containers.RepeatedCompositeFieldContainer[SealedSource]
    def __init__(self, topic: _Optional[str] = ..., cluster_id: _Optional[str] = ..., partition_count: _Optional[int] = ..., partitions: _Optional[_Iterable[_Union[SealedPartition, _Mapping]]] = ..., sealed_at_ms: _Optional[int] = ..., previous_digest: _Optional[bytes] = ..., number: _Optional[int] = ..., sources: _Optional[_Iterable[_Union[SealedSource, _Mapping]]] = ...) -> None: ...

class SealedPartition(_message.Message):
    __slots__ = ("partition", "next_offset", "next_sequence", "chain", "gap", "trail")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    TRAIL_FIELD_NUMBER: _ClassVar[int]
    partition: int
    next_offset: int
    next_sequence: int
    chain: bytes
    gap: str
    trail: bytes
    def __init__(self, partition: _Optional[int] = ..., next_offset: _Optional[int] = ..., next_sequence: _Optional[int] = ..., chain: _Optional[bytes] = ..., gap: _Optional[str] = ..., trail: _Optional[bytes] = ...) -> None: ...

class SealedSource(_message.Message):
    __slots__ = ("source", "next_sequence", "missing", "given_up")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    GIVEN_UP_FIELD_NUMBER: _ClassVar[int]
    source: str
    next_sequence: int
    missing: int
    given_up: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, source: _Optional[str] = ..., next_sequence: _Optional[int] = ..., missing: _Optional[int] = ..., given_up: _Optional[_Iterable[int]] = ...) -> None: ...

from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Profile(_message.Message):
    __slots__ = ("id", "valid_from_ms", "second_gaps", "counts", "frauds", "coarse_days", "version", "labels", "recent_ids", "recent_seconds")
    ID_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_MS_FIELD_NUMBER: _ClassVar[int]
    SECOND_GAPS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    FRAUDS_FIELD_NUMBER: _ClassVar[int]
    COARSE_DAYS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    RECENT_IDS_FIELD_NUMBER: _ClassVar[int]
    RECENT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    valid_from_ms: int
    second_gaps: _containers.RepeatedScalarFieldContainer[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    frauds: _containers.RepeatedCompositeFieldContainer[FraudChange]
    coarse_days: _containers.RepeatedScalarFieldContainer[int]
    version: int
    labels: _containers.RepeatedCompositeFieldContainer[KnownLabel]
    recent_ids: _containers.RepeatedScalarFieldContainer[int]
    recent_seconds: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, id: _Optional[str] = ..., valid_from_ms: _Optional[int] = ..., second_gaps: _Optional[_Iterable[int]] = ..., counts: _Optional[_Iterable[int]] = ..., frauds: _Optional[_Iterable[_Union[FraudChange, _Mapping]]] = ..., coarse_days: _Optional[_Iterable[int]] = ..., version: _Optional[int] = ..., labels: _Optional[_Iterable[_Union[KnownLabel, _Mapping]]] = ..., recent_ids: _Optional[_Iterable[int]] = ..., recent_seconds: _Optional[_Iterable[int]] = ...) -> None: ...

class FraudChange(_message.Message):
    __slots__ = ("second_s", "from_s", "sign")
    SECOND_S_FIELD_NUMBER: _ClassVar[int]
    FROM_S_FIELD_NUMBER: _ClassVar[int]
    SIGN_FIELD_NUMBER: _ClassVar[int]
    second_s: int
    from_s: int
    sign: int
    def __init__(self, second_s: _Optional[int] = ..., from_s: _Optional[int] = ..., sign: _Optional[int] = ...) -> None: ...

class KnownLabel(_message.Message):
    __slots__ = ("id", "second_s", "labelled_at_ms", "fraud", "from_s")
    ID_FIELD_NUMBER: _ClassVar[int]
    SECOND_S_FIELD_NUMBER: _ClassVar[int]
    LABELLED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    FRAUD_FIELD_NUMBER: _ClassVar[int]
    FROM_S_FIELD_NUMBER: _ClassVar[int]
    id: int
    second_s: int
    labelled_at_ms: int
    fraud: bool
    from_s: int
    def __init__(self, id: _Optional[int] = ..., second_s: _Optional[int] = ..., labelled_at_ms: _Optional[int] = ..., fraud: _Optional[bool] = ..., from_s: _Optional[int] = ...) -> None: ...

class ProfileWatermark(_message.Message):
    __slots__ = ("watermark_s", "valid_from_ms", "delay_days", "version", "positions")
    WATERMARK_S_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_MS_FIELD_NUMBER: _ClassVar[int]
    DELAY_DAYS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    watermark_s: int
    valid_from_ms: int
    delay_days: int
    version: int
    positions: _containers.RepeatedCompositeFieldContainer[SourcePosition]
    def __init__(self, watermark_s: _Optional[int] = ..., valid_from_ms: _Optional[int] = ..., delay_days: _Optional[int] = ..., version: _Optional[int] = ..., positions: _Optional[_Iterable[_Union[SourcePosition, _Mapping]]] = ...) -> None: ...

class SourcePosition(_message.Message):
    __slots__ = ("source", "partition", "next_offset")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    source: str
    partition: int
    next_offset: int
    def __init__(self, source: _Optional[str] = ..., partition: _Optional[int] = ..., next_offset: _Optional[int] = ...) -> None: ...

class ProfileUpdate(_message.Message):
    __slots__ = ("watermark_s", "positions", "slices")
    WATERMARK_S_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
    watermark_s: int
    positions: _containers.RepeatedCompositeFieldContainer[SourcePosition]
    slices: _containers.RepeatedCompositeFieldContainer[SourceSlice]
    def __init__(self, watermark_s: _Optional[int] = ..., positions: _Optional[_Iterable[_Union[SourcePosition, _Mapping]]] = ..., slices: _Optional[_Iterable[_Union[SourceSlice, _Mapping]]] = ...) -> None: ...

class SourceSlice(_message.Message):
    __slots__ = ("source", "partition", "subjects", "offsets", "ids", "seconds", "labelled_at_ms", "frauds")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    OFFSETS_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    LABELLED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    FRAUDS_FIELD_NUMBER: _ClassVar[int]
    source: str
    partition: int
    subjects: _containers.RepeatedScalarFieldContainer[bytes]
    offsets: _containers.RepeatedScalarFieldContainer[int]
    ids: _containers.RepeatedScalarFieldContainer[int]
    seconds: _containers.RepeatedScalarFieldContainer[int]
    labelled_at_ms: _containers.RepeatedScalarFieldContainer[int]
    frauds: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, source: _Optional[str] = ..., partition: _Optional[int] = ..., subjects: _Optional[_Iterable[bytes]] = ..., offsets: _Optional[_Iterable[int]] = ..., ids: _Optional[_Iterable[int]] = ..., seconds: _Optional[_Iterable[int]] = ..., labelled_at_ms: _Optional[_Iterable[int]] = ..., frauds: _Optional[_Iterable[bool]] = ...) -> None: ...

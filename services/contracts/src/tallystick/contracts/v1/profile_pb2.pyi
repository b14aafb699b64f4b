from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Profile(_message.Message):
    __slots__ = ("id", "valid_from_ms", "windows")
    ID_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_MS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    id: str
    valid_from_ms: int
    windows: _containers.RepeatedCompositeFieldContainer[ProfileWindow]
    def __init__(self, id: _Optional[str] = ..., valid_from_ms: _Optional[int] = ..., windows: _Optional[_Iterable[_Union[ProfileWindow, _Mapping]]] = ...) -> None: ...

class ProfileWindow(_message.Message):
    __slots__ = ("days", "transactions", "frauds")
    DAYS_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    FRAUDS_FIELD_NUMBER: _ClassVar[int]
    days: int
    transactions: int
    frauds: int
    def __init__(self, days: _Optional[int] = ..., transactions: _Optional[int] = ..., frauds: _Optional[int] = ...) -> None: ...

from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_GENUINE: _ClassVar[Verdict]
    VERDICT_FRAUD: _ClassVar[Verdict]
VERDICT_UNSPECIFIED: Verdict
VERDICT_GENUINE: Verdict
VERDICT_FRAUD: Verdict

class Transaction(_message.Message):
    __slots__ = ("transaction_id", "customer_id", "amount_minor", "currency", "event_time_ms", "terminal_id", "merchant_id", "source", "source_sequence", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    transaction_id: str
    customer_id: str
    amount_minor: int
    currency: str
    event_time_ms: int
    terminal_id: str
    merchant_id: str
    source: str
    source_sequence: int
    attributes: _containers.ScalarMap[str, float]
    def __init__(self, transaction_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., amount_minor: _Optional[int] = ..., currency: _Optional[str] = ..., event_time_ms: _Optional[int] = ..., terminal_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., source: _Optional[str] = ..., source_sequence: _Optional[int] = ..., attributes: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("transaction_id", "customer_id", "verdict", "labelled_at_ms", "event_time_ms", "terminal_id", "merchant_id")
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    LABELLED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    transaction_id: str
    customer_id: str
    verdict: Verdict
    labelled_at_ms: int
    event_time_ms: int
    terminal_id: str
    merchant_id: str
    def __init__(self, transaction_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., labelled_at_ms: _Optional[int] = ..., event_time_ms: _Optional[int] = ..., terminal_id: _Optional[str] = ..., merchant_id: _Optional[str] = ...) -> None: ...

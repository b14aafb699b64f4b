from tallystick.contracts.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Evidence(_message.Message):
    __slots__ = ("key_id", "lookup", "partition", "sequence", "nonce", "ciphertext")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    LOOKUP_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    CIPHERTEXT_FIELD_NUMBER: _ClassVar[int]
    key_id: bytes
    lookup: bytes
    partition: int
    sequence: int
    nonce: bytes
    ciphertext: bytes
    def __init__(self, key_id: _Optional[bytes] = ..., lookup: _Optional[bytes] = ..., partition: _Optional[int] = ..., sequence: _Optional[int] = ..., nonce: _Optional[bytes] = ..., ciphertext: _Optional[bytes] = ...) -> None: ...

class EvidenceBody(_message.Message):
    __slots__ = ("disclosures",)
    DISCLOSURES_FIELD_NUMBER: _ClassVar[int]
    disclosures: _containers.RepeatedCompositeFieldContainer[Disclosure]
    def __init__(self, disclosures: _Optional[_Iterable[_Union[Disclosure, _Mapping]]] = ...) -> None: ...

class Disclosure(_message.Message):
    __slots__ = ("group", "salt", "content")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    group: _decision_pb2.DisclosureGroup
    salt: bytes
    content: bytes
    def __init__(self, group: _Optional[_Union[_decision_pb2.DisclosureGroup, str]] = ..., salt: _Optional[bytes] = ..., content: _Optional[bytes] = ...) -> None: ...

class Identity(_message.Message):
    __slots__ = ("transaction_id", "customer_id")
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    transaction_id: str
    customer_id: str
    def __init__(self, transaction_id: _Optional[str] = ..., customer_id: _Optional[str] = ...) -> None: ...

class TransactionDetails(_message.Message):
    __slots__ = ("amount_minor", "currency", "event_time_ms", "terminal_id", "merchant_id", "source", "source_sequence", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    amount_minor: int
    currency: str
    event_time_ms: int
    terminal_id: str
    merchant_id: str
    source: str
    source_sequence: int
    attributes: _containers.ScalarMap[str, float]
    def __init__(self, amount_minor: _Optional[int] = ..., currency: _Optional[str] = ..., event_time_ms: _Optional[int] = ..., terminal_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., source: _Optional[str] = ..., source_sequence: _Optional[int] = ..., attributes: _Optional[_Mapping[str, float]] = ...) -> None: ...

class FeatureVector(_message.Message):
    __slots__ = ("feature_schema_digest", "values", "profiles")
    FEATURE_SCHEMA_DIGEST_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    feature_schema_digest: bytes
    values: bytes
    profiles: _containers.RepeatedCompositeFieldContainer[ProfileVersion]
    def __init__(self, feature_schema_digest: _Optional[bytes] = ..., values: _Optional[bytes] = ..., profiles: _Optional[_Iterable[_Union[ProfileVersion, _Mapping]]] = ...) -> None: ...

class ProfileVersion(_message.Message):
    __slots__ = ("offset", "version", "watermark_s", "stale")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_S_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    offset: int
    version: int
    watermark_s: int
    stale: bool
    def __init__(self, offset: _Optional[int] = ..., version: _Optional[int] = ..., watermark_s: _Optional[int] = ..., stale: _Optional[bool] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("contributions", "challengers")
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    CHALLENGERS_FIELD_NUMBER: _ClassVar[int]
    contributions: _containers.RepeatedCompositeFieldContainer[Contribution]
    challengers: _containers.RepeatedCompositeFieldContainer[ChallengerMargin]
    def __init__(self, contributions: _Optional[_Iterable[_Union[Contribution, _Mapping]]] = ..., challengers: _Optional[_Iterable[_Union[ChallengerMargin, _Mapping]]] = ...) -> None: ...

class ChallengerMargin(_message.Message):
    __slots__ = ("activation_index", "margin_bits")
    ACTIVATION_INDEX_FIELD_NUMBER: _ClassVar[int]
    MARGIN_BITS_FIELD_NUMBER: _ClassVar[int]
    activation_index: int
    margin_bits: int
    def __init__(self, activation_index: _Optional[int] = ..., margin_bits: _Optional[int] = ...) -> None: ...

class Contribution(_message.Message):
    __slots__ = ("feature", "margin")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    feature: str
    margin: float
    def __init__(self, feature: _Optional[str] = ..., margin: _Optional[float] = ...) -> None: ...

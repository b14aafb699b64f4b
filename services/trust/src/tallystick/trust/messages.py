"""Protobuf messages, read strictly."""

from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from tallystick.trust.errors import TrustError

M = TypeVar("M", bound=Message)


class MessageError(TrustError):
    """Bytes are not the protobuf message that they should be."""


def parse_message(kind: type[M], data: bytes, what: str) -> M:
    """Return the protobuf message in `data`.

    A field that this version does not know is refused: what it says could change what all the others mean.

    Raises:
        MessageError: It is no such message, or holds unknown fields; the message starts with `what`.
    """
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise MessageError(f"{what} is not a well-formed {kind.DESCRIPTOR.name}") from None
    if _holds_unknown(message):
        raise MessageError(f"{what} holds a field that this version does not know")
    return message


def _holds_unknown(message: Message) -> bool:
    if len(UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        if any(map(_holds_unknown, value if field.is_repeated else [value])):
            return True
    return False

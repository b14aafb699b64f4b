"""Records as JSON for people, and what tells whether such a file still says what the record says."""

import json

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message

from tallystick.trust.strict_json import JsonError, parse_object

MAX_VIEW_BYTES = 2**22


def view(record: Message) -> bytes:
    """Return a record as JSON, its fields by their names, byte strings in base64."""
    document = MessageToDict(record, preserving_proto_field_name=True)
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def says(data: bytes, record: Message) -> bool:
    """Tell whether a view is of this record: not by its bytes, which other libraries may order otherwise."""
    try:
        told = ParseDict(parse_object(data, MAX_VIEW_BYTES), type(record)())
    except (JsonError, ParseError):
        return False
    return told.SerializeToString(deterministic=True) == record.SerializeToString(deterministic=True)  # NaN is not NaN

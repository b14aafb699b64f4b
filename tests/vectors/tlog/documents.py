"""How the files hold byte strings: as text where they are UTF-8, in base64 where they are not, repetitions as such."""

import base64
from dataclasses import dataclass
from typing import Any

Document = str | dict[str, Any] | list[Any]
"""A JSON string (its UTF-8 bytes), `{"base64": text}`, `{"repeat": document, "times": number}`, or a list of these, joined."""


@dataclass(frozen=True)
class Repeat:
    """The same bytes, or the same parts, many times over."""

    data: "bytes | tuple[bytes | Repeat, ...]"
    times: int


def to_document(*parts: bytes | Repeat) -> Document:
    """Write byte strings, joined, as a document."""
    written = [_part(part) for part in parts]
    return written[0] if len(written) == 1 else written


def _part(part: bytes | Repeat) -> Document:
    if isinstance(part, Repeat):
        inner = (part.data,) if isinstance(part.data, bytes) else part.data
        return {"repeat": to_document(*inner), "times": part.times}
    try:
        return part.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(part).decode()}


def to_bytes(document: Document) -> bytes:
    """Read a document."""
    if isinstance(document, str):
        return document.encode()
    if isinstance(document, list):
        return b"".join(map(to_bytes, document))
    if "repeat" in document:
        return to_bytes(document["repeat"]) * int(document["times"])
    return base64.b64decode(document["base64"], validate=True)

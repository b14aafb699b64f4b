"""XML 1.0 in UTF-8, elements and text only, through expat, which fetches nothing.

Refused: document type declarations, and with them all entities but the five of XML; processing instructions; XInclude; other
encodings; nesting and sizes beyond the bounds below. The caller bounds the bytes.
"""

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

MAX_DEPTH = 40
MAX_ELEMENTS = 100_000
MAX_ATTRIBUTES = 20
_XINCLUDE = "http://www.w3.org/2001/XInclude"
_BOM = b"\xef\xbb\xbf"


class Iso20022Error(ValueError):
    """The message is not one that can be taken; the text says where and why, and repeats nothing of a payment."""


@dataclass(slots=True)
class Element:
    """An element: the namespace and name it has, its attributes without namespaces, its own text, and what is in it."""

    namespace: str
    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> list["Element"]:
        """Return the children of a name in this element's namespace."""
        return [child for child in self.children if (child.namespace, child.name) == (self.namespace, name)]

    def find(self, *path: str) -> "Element | None":
        """Return what is at a path of names, None if it is not there.

        Raises:
            Iso20022Error: a name on the path is there twice.
        """
        at = self
        for name in path:
            found = at.all(name)
            if len(found) > 1:
                raise Iso20022Error(f"{at.name} has {len(found)} elements {name}, and there may be one.")
            if not found:
                return None
            at = found[0]
        return at

    def get(self, *path: str) -> "Element":
        """Return what must be at a path. Raises Iso20022Error."""
        found = self.find(*path)
        if found is None:
            raise Iso20022Error(f"{self.name} lacks {'/'.join(path)}.")
        return found


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._text: list[list[str]] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        self._count += 1
        if namespace == _XINCLUDE:
            raise Iso20022Error("XInclude is refused.")
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS or len(attributes) > MAX_ATTRIBUTES:
            raise Iso20022Error(f"More than {MAX_DEPTH} levels, {MAX_ELEMENTS} elements or {MAX_ATTRIBUTES} attributes.")
        element = Element(namespace, local, {key: value for key, value in attributes.items() if " " not in key})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._text.append([])

    def end(self, _: str) -> None:
        self._open.pop().text = "".join(self._text.pop())

    def data(self, text: str) -> None:
        self._text[-1].append(text)


def parse(data: bytes) -> Element:
    """Return a document's root.

    Raises:
        Iso20022Error: it is not well-formed, or holds something that is refused.
    """
    try:
        text = data.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        raise Iso20022Error(f"Byte {error.start} is not UTF-8.") from None
    builder = _Builder()
    parser = expat.ParserCreate("UTF-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.XmlDeclHandler = _declared
    parser.StartDoctypeDeclHandler = _no_doctype
    parser.EntityDeclHandler = parser.ExternalEntityRefHandler = _no_doctype
    parser.ProcessingInstructionHandler = _no_instruction
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise Iso20022Error(f"Not well-formed XML: {reason} at line {error.lineno}, column {error.offset}.") from None
    if builder.root is None:
        raise Iso20022Error("There is no element.")
    return builder.root


def _declared(version: str, encoding: str | None, _: int) -> None:
    if version != "1.0" or (encoding or "UTF-8").upper() not in ("UTF-8", "US-ASCII"):
        raise Iso20022Error("The message must be XML 1.0 in UTF-8.")


def _no_doctype(*_: object) -> NoReturn:
    raise Iso20022Error("A document type declaration is refused, and entities with it.")


def _no_instruction(*_: object) -> NoReturn:
    raise Iso20022Error("Processing instructions are refused.")

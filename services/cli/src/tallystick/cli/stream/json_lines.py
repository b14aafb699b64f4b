"""JSON lines: one `Transaction` in proto3 JSON a line, read strictly.

Both spellings of a name are accepted (`transactionId`, `transaction_id`), 64-bit integers as numbers or as decimal strings,
doubles also as "NaN", "Infinity" and "-Infinity", null as absent. Unknown and repeated names are not.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pyarrow as pa

from tallystick.cli.stream.columns import ATTRIBUTE_MAP, ATTRIBUTES, FIELD_NAMES, INTEGERS, TEXT

_DECIMAL = re.compile(r"-?[0-9]{1,20}\Z")
_NAMED_DOUBLES = {"NaN", "Infinity", "-Infinity"}
_RANGES = {"amount_minor": (-(2**63), 2**63), "event_time_ms": (-(2**63), 2**63), "source_sequence": (0, 2**64)}
_TYPES = {**dict.fromkeys(TEXT, pa.string()), **INTEGERS, ATTRIBUTES: ATTRIBUTE_MAP}


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no transaction.

    Attributes:
        number: the line's number, counting from 1.
        reason: what is wrong with it.
    """

    number: int
    reason: str


class _LineError(ValueError):
    """What is wrong with a line."""


def parse_lines(lines: Iterable[bytes]) -> tuple[pa.Table, tuple[BadLine, ...]]:
    """Return the transactions of the good lines, in order, and the bad lines."""
    rows: list[dict[str, object]] = []
    bad_lines = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(_parse_line(line))
        except (ValueError, RecursionError) as error:
            bad_lines.append(BadLine(number, _reason(error)))
    columns = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in _TYPES.items()}
    return pa.table(columns), tuple(bad_lines)


def _parse_line(line: bytes) -> dict[str, object]:
    parsed = json.loads(line.decode("utf-8"), object_pairs_hook=_unrepeated, parse_constant=_refuse_constant)
    if not isinstance(parsed, dict):
        raise _LineError("not a JSON object")
    row: dict[str, object] = {}
    for spelling, value in parsed.items():
        name = FIELD_NAMES.get(spelling)
        if name is None:
            raise _LineError(f"unknown field {spelling[:64]!r}")
        if name in row:
            raise _LineError(f"field {name} twice, once by each of its names")
        row[name] = None if value is None else _PARSERS[name](name, value)
    return row


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise _LineError("a name appears twice in one object")
    return unique


def _refuse_constant(constant: str) -> object:
    raise _LineError(f"{constant} is not JSON; proto3 JSON has it in quotes")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _LineError(f"{name} is not a string")
    value.encode()  # a lone surrogate, which JSON can spell, is no text
    return value


def _integer(name: str, value: object) -> int:
    if isinstance(value, str) and _DECIMAL.match(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    first, stop = _RANGES[name]
    if not isinstance(value, int) or isinstance(value, bool) or not first <= value < stop:
        raise _LineError(f"{name} is not a {'u' if first == 0 else ''}int64")
    return value


def _attributes(name: str, value: object) -> list[tuple[str, float]]:
    if not isinstance(value, dict):
        raise _LineError(f"{name} is not an object")
    return [(_text("an attribute's name", key), _double(key, number)) for key, number in value.items()]


def _double(name: str, value: object) -> float:
    if isinstance(value, bool) or not (isinstance(value, int | float) or value in _NAMED_DOUBLES):
        raise _LineError(f"attribute {name[:64]!r} is not a number")
    try:
        return float(value)
    except OverflowError:
        raise _LineError(f"attribute {name[:64]!r} is too large for a double") from None


def _reason(error: ValueError | RecursionError) -> str:
    match error:
        case _LineError():
            return str(error)
        case json.JSONDecodeError():
            return f"not JSON: {error.msg} at character {error.pos + 1}"
        case UnicodeError():
            return "not UTF-8"
        case RecursionError():
            return "nested too deeply"
    return "not JSON"


_PARSERS: dict[str, Callable[[str, object], object]] = {
    **dict.fromkeys(TEXT, _text),
    **dict.fromkeys(INTEGERS, _integer),
    ATTRIBUTES: _attributes,
}

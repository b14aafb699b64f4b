"""JSON in one reading only: what two parsers could understand differently is refused."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from tallystick.trust.errors import TrustError


class JsonError(TrustError):
    """Not JSON, or JSON that parsers may read differently."""


def parse_object(data: bytes, max_bytes: int) -> dict[str, Any]:
    """Return the JSON object that `data` is.

    Refuses names that repeat within an object, NaN and infinities, a byte order mark, bytes that are not UTF-8, anything over
    `max_bytes`, and nesting deeper than Python's parser goes.

    Raises:
        JsonError: `data` is not such an object.
    """
    if len(data) > max_bytes:
        raise JsonError(f"it has {len(data)} bytes, more than the {max_bytes} allowed")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except JsonError:
        raise
    except UnicodeDecodeError as error:
        raise JsonError(f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"it is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):  # digits beyond Python's limit; nesting beyond its stack
        raise JsonError("a number in it is too long, or its nesting too deep") from None
    if not isinstance(value, dict):
        raise JsonError("it is not a JSON object")
    return value


Types = type | tuple[type, ...]
"""What a field may be: one type, or any of several."""


def fields(
    value: Any, where: str, required: Mapping[str, Types], optional: Mapping[str, Types] | None = None
) -> dict[str, Any]:
    """Return `value`, an object with exactly the `required` names and any of the `optional` ones, each of its type.

    Raises:
        JsonError: A name is missing or unknown, or a type is wrong; the message starts with `where`.
    """
    if not isinstance(value, dict):
        raise JsonError(f"{where} must be an object")
    known = {**required, **(optional or {})}
    for name in value:
        if name not in known:
            raise JsonError(f"{where} has {name!r}, which is not known")
    for name in required:
        if name not in value:
            raise JsonError(f"{where} lacks {name!r}")
    for name, item in value.items():
        declared = known[name]
        types = declared if isinstance(declared, tuple) else (declared,)
        if not isinstance(item, types) or (isinstance(item, bool) and bool not in types):
            raise JsonError(f"{where}: {name!r} must be {' or '.join(_TYPE_NAMES[kind] for kind in types)}")
    return value


_TYPE_NAMES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in pairs:
        if name in out:
            raise JsonError(f"the name {name!r} is repeated")
        out[name] = value
    return out


def _refuse_constant(constant: str) -> NoReturn:
    raise JsonError(f"{constant} is not a JSON number")

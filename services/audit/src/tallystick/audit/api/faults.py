"""What is wrong with a request, in words for whoever wrote it; nothing of what was sent is repeated. Pure."""

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError

from tallystick.audit.api.patterns import WORDS
from tallystick.runtime.problems import InvalidParameter

_BODY = "body"


def tell(error: RequestValidationError) -> list[InvalidParameter]:
    """Return what a request's validation found, one by one."""
    return [_tell(fault, error.body) for fault in error.errors()]


def tell_unreadable(cause: BaseException | None) -> InvalidParameter:
    """Return why a body could not even be parsed as JSON, by what came of trying to."""
    match cause:
        case RecursionError():
            why = "The JSON is nested too deeply."
        case UnicodeError():
            why = "The body is not UTF-8."
        case ValueError():
            why = "A number in the JSON has too many digits."
        case _:
            why = "The body could not be read."
    return InvalidParameter(location=_BODY, detail=why)


def _tell(fault: Mapping[str, Any], body: object) -> InvalidParameter:
    kind, location = fault["type"], ".".join(str(part) for part in fault["loc"])
    if kind == "json_invalid":
        place = _place(str(body), fault["loc"][1])
        return InvalidParameter(location=_BODY, detail=f"This is not JSON, at {place}: {fault['ctx']['error']}.")
    if location == _BODY and isinstance(body, bytes):  # which FastAPI leaves as it is if it is not said to be JSON
        return InvalidParameter(location=_BODY, detail="The body must be JSON, and Content-Type must be application/json.")
    if kind == "string_pattern_mismatch":
        return InvalidParameter(location=location, detail=WORDS.get(fault["ctx"]["pattern"], str(fault["msg"])))
    return InvalidParameter(location=location, detail=str(fault["msg"]))


def _place(text: str, position: int) -> str:
    line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
    return f"line {line}, column {column}"

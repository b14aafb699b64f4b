"""Log lines: one JSON object each."""

import json
import logging
import sys

from tallystick.runtime.logging import JsonFormatter


def _line(message: str, *args: object, error: BaseException | None = None, **extra: object) -> dict[str, object]:
    logger = logging.getLogger("tallystick.test")
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logger.makeRecord(logger.name, logging.WARNING, __file__, 1, message, args, exc_info, extra=extra)
    record.created = 0.25
    text = JsonFormatter("notary").format(record)
    assert "\n" not in text
    line: dict[str, object] = json.loads(text)
    return line


def test_a_line_says_when_who_and_what() -> None:
    """Time in UTC with milliseconds, level, service, logger, message with its arguments."""
    assert _line("gap in %s", "decisions/3") == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "warning",
        "service": "notary",
        "logger": "tallystick.test",
        "message": "gap in decisions/3",
    }


def test_extra_fields_become_fields_and_cannot_replace_others() -> None:
    """`extra=` adds; the service's name stays."""
    line = _line("x", partition=3, service="forged")
    assert (line["partition"], line["service"]) == (3, "notary")


def test_newlines_stay_inside_the_line() -> None:
    """What a record says cannot begin a line of its own."""
    assert _line("a\n{}")["message"] == "a\n{}"


def test_an_error_is_told_with_its_trace() -> None:
    """The kind, the message, and where it came from, in fields."""
    try:
        raise ValueError("too small")
    except ValueError:
        line = _line("failed", error=sys.exception())
    assert line["error"] == "ValueError: too small"
    assert "test_an_error_is_told_with_its_trace" in str(line["trace"])

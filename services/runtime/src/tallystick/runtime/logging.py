"""Log lines for machines: one JSON object a line on stderr.

{"time": "2026-11-22T16:00:00.123Z", "level": "info", "service": "notary", "logger": "...", "message": "...", <extra fields>}

Lines never hold secrets or personal data; give what identifies a record (topic, partition, offset) as `extra=`.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CHATTY = ("urllib3", "httpx", "httpcore", "aiokafka", "asyncio", "uvicorn")


class JsonFormatter(logging.Formatter):
    """Formats a log record as one line of JSON."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one JSON object; its `extra=` fields become fields."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD and name not in fields}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
            fields["trace"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(fields, default=str, ensure_ascii=False)


def configure(service: str, level: str = "info") -> None:
    """Send every log line of this process to stderr as JSON; libraries are heard from `warning` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    if level != "debug":
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)

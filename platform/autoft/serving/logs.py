"""How the server's log is written: lines for the eye, or JSON objects."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from autoft.serving.access import REQUEST_ID


class JsonLines(logging.Formatter):
    """An object a line: time (ISO 8601, UTC), level, message, request_id where there is a request, and what the record's `facts` hold."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
        }
        number = REQUEST_ID.get()
        if number is not None:
            line["request_id"] = number
        return json.dumps(line | getattr(record, "facts", {}), ensure_ascii=True)


class Lines(logging.Formatter):
    """Time, level, message; tracebacks, which may quote what was asked, are left out."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatException(self, ei: object) -> str:  # noqa: N802, ARG002
        return ""


def log_to_stderr(form: Literal["text", "json"]) -> None:
    """Write the server's log to standard error in this form, and what the libraries of HTTP and of spans warn of."""
    for name, level in (("autoft.serving", logging.INFO), ("uvicorn.error", logging.WARNING), ("opentelemetry", logging.WARNING)):
        log = logging.getLogger(name)
        for handler in [one for one in log.handlers if isinstance(one.formatter, JsonLines | Lines)]:
            log.removeHandler(handler)
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines() if form == "json" else Lines())
        log.addHandler(handler)
        log.setLevel(level)
        log.propagate = name != "uvicorn.error"

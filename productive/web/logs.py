"""Configure logging: one JSON object per line, or text for development.

This module doesn't import Django, because gunicorn uses it before Django is set up.
"""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# The ID of the request that the current thread handles.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# ASCII only, so that no value of a request contains a line break, such as U+2028.
encode = json.JSONEncoder(default=str).encode
UNPRINTABLE = re.compile(r"[^ -~]+")


class JSONFormatter(logging.Formatter):
    """Format a record, its `fields` and its traceback as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        created = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        line: dict[str, Any] = {
            "time": f"{created.isoformat(timespec='milliseconds')}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return encode(line)


class TextFormatter(logging.Formatter):
    """Format a record as a line, and its traceback as indented lines.

    No value of a request can begin a line: everything but printable ASCII is escaped.
    """

    def format(self, record: logging.LogRecord) -> str:
        message = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        traceback = self.formatException(record.exc_info).split("\n") if record.exc_info else []
        return "\n".join([escape(message), *(f"    {escape(line)}" for line in traceback)])


def escape(text: str) -> str:
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class OnlyFailures(logging.Filter):
    """Drop records of rejected requests, which have a line of the request log.

    Their messages and tracebacks can contain parameters.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR and bool(record.exc_info)


class WithoutRequestData(logging.Filter):
    """Remove the query strings and bytes of requests that gunicorn quotes."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno <= logging.DEBUG:  # These quote the bytes that were received.
            return False
        message = record.getMessage()
        if message.startswith("Error handling request "):
            record.msg, record.args = message.partition("?")[0], ()
        return True


def logging_config(log_format: str, level: str) -> dict[str, Any]:
    """Return the value of LOGGING. `log_format` is "json" or "text"."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "productive.web.logs.JSONFormatter"},
            "text": {"()": "productive.web.logs.TextFormatter"},
        },
        "filters": {
            "only failures": {"()": "productive.web.logs.OnlyFailures"},
            "without request data": {"()": "productive.web.logs.WithoutRequestData"},
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": log_format}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Override the level that Django sets.
            "django": {"level": level},
            "django.request": {"filters": ["only failures"]},
            # Rejected requests, which Django logs as errors, with a parameter or the host and a traceback.
            "django.security": {"level": "CRITICAL"},
            # Also with LOG_LEVEL=DEBUG, because debug records contain template contexts and SQL parameters.
            **{name: {"level": "INFO"} for name in ("django.template", "django.db.backends")},
            # Replace the handler and format of gunicorn; --log-level still sets its level.
            "gunicorn.error": {"handlers": [], "propagate": True, "filters": ["without request data"]},
        },
    }

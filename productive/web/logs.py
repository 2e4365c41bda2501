"""Configure logging: one JSON object per line, or text for development.

This module doesn't import Django, because gunicorn uses it before Django is set up.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# The ID of the request that the current thread handles.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# ASCII only, so that no data of a request is read as a line break, not even U+2028.
encode = json.JSONEncoder(default=str).encode


class JSONFormatter(logging.Formatter):
    """Format a record as one line of JSON, with its `fields` and its traceback, if any."""

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


class OnlyExceptions(logging.Filter):
    """Drop what Django logs of rejected requests, which have a line of their own; keep tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info)


def logging_config(log_format: str, level: str) -> dict[str, Any]:
    """Return the argument of `logging.config.dictConfig`. `log_format` is json or text."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "productive.web.logs.JSONFormatter"},
            "text": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        },
        "filters": {"only exceptions": {"()": "productive.web.logs.OnlyExceptions"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": log_format}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django sets a level of its own here.
            "django": {"level": level},
            "django.request": {"filters": ["only exceptions"]},
            # The line of the request says 400. This one would contain the host that the client sent.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # Even with LOG_LEVEL=DEBUG: their debug lines contain template contexts and SQL parameters.
            **{name: {"level": "INFO"} for name in ("django.template", "django.db.backends")},
            # Replace the handler and format of gunicorn; --log-level still sets its level.
            "gunicorn.error": {"handlers": [], "propagate": True},
        },
    }

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

# ASCII only, so that no value of a request contains a line break, such as U+2028.
encode = json.JSONEncoder(default=str).encode


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


class OnlyExceptions(logging.Filter):
    """Drop records without a traceback: rejected requests, logged elsewhere."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info)


def logging_config(log_format: str, level: str) -> dict[str, Any]:
    """Return the value of LOGGING. `log_format` is "json" or "text"."""
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
            # Override the level that Django sets.
            "django": {"level": level},
            "django.request": {"filters": ["only exceptions"]},
            # The request log has a line for these; this one would contain the host of the request.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # Also with LOG_LEVEL=DEBUG, because debug records contain template contexts and SQL parameters.
            **{name: {"level": "INFO"} for name in ("django.template", "django.db.backends")},
            # Replace the handler and format of gunicorn; --log-level still sets its level.
            "gunicorn.error": {"handlers": [], "propagate": True},
        },
    }

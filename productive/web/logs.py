"""How logs are written: one JSON object a line for machines, or text for whoever sits before it.

Nothing here needs Django, because the server that starts Django logs in the same way.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# The thread's own: the id of the request that it answers.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# In ASCII, so that nothing that somebody sent begins a new line, whatever reads it takes for one.
encode = json.JSONEncoder(default=str).encode


class JSONFormatter(logging.Formatter):
    """A record as one line: its `fields` beside what every line has, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        line: dict[str, Any] = {
            "time": f"{moment.isoformat(timespec='milliseconds')}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return encode(line)


class OnlyFailures(logging.Filter):
    """What Django says of a refused request is in that request's own line; a traceback is nowhere else."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info)


def configuration(form: str, level: str) -> dict[str, Any]:
    """What `logging.config.dictConfig` takes. `form` is json or text."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "productive.web.logs.JSONFormatter"},
            "text": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        },
        "filters": {"only failures": {"()": "productive.web.logs.OnlyFailures"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django gives its own a level of their own.
            "django": {"level": level},
            "django.request": {"filters": ["only failures"]},
            # The request's own line says 400. This one would quote the host that was sent.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # At any level: they would write down all that a page is made of, and the values of statements.
            **{name: {"level": "INFO"} for name in ("django.template", "django.db.backends")},
            # gunicorn's has a handler and a form of its own; its level is for --log-level to say.
            "gunicorn.error": {"handlers": [], "propagate": True},
        },
    }

"""Configure gunicorn, and answer the requests that it rejects itself.

Run it as `gunicorn --config python:productive.server productive.wsgi`. WEB_CONCURRENCY is the number of
processes. Each has threads, so that a slow client doesn't occupy a process.

gunicorn parses the request line and the headers before the application runs. `Worker.handle_error` writes the
response if that fails.
"""

import os
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from productive.web.logs import logging_config

worker_class = "productive.server.Worker"
# Sign-ins wait in up to ten of them (`accounts.sign_in`).
threads = 16
# Enough for a filter with some thousand ids. gunicorn itself rejects a longer request line (414).
limit_request_line = 8190
graceful_timeout = 30
# TRUST_PROXY decides whether to trust X-Forwarded-Proto, not the address of the proxy.
forwarded_allow_ips = ""
# gunicorn would create the socket in the user's home directory, and nothing here uses it.
control_socket_disable = True
logger_class = "productive.server.ServerLogger"
# Not from the settings, which gunicorn would not reload on SIGHUP if this module imported them. There is no
# access log, because the application logs each request.
logconfig_dict = logging_config(os.environ.get("LOG_FORMAT", "json"), "INFO")


class ServerLogger(Logger):
    """Format lines of the access log only if there is one.

    gunicorn formats them for any `logconfig_dict`, which costs 3 % of an average request.
    """

    @property
    def access_log_enabled(self) -> bool:
        return bool(self.cfg.accesslog)


class Worker(ThreadWorker):
    """Answer with an error document instead of HTML, and log no data of clients."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        status = status_of(exc)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.error("A request failed outside of the application", exc_info=exc)
        else:
            # Not the text of the error, which quotes the request.
            self.log.warning("Rejected a request from %s: %s", addr[0] if addr else "?", type(exc).__name__)
        with suppress(OSError):  # The client has closed the connection.
            # Most rejected requests have no path yet, so their client is taken for one of the API.
            path = getattr(req or getattr(exc, "req", None), "path", None)
            if path is None or path.startswith("/api/"):
                util.write_nonblock(client, error_body(status))
            else:
                util.write_error(client, status.value, status.phrase, "")


def status_of(exc: BaseException) -> HTTPStatus:
    match exc:
        case errors.InvalidResponseHeader() | errors.InvalidResponseHeaderName():
            return HTTPStatus.INTERNAL_SERVER_ERROR
        case errors.LimitRequestLine():
            return HTTPStatus.REQUEST_URI_TOO_LONG
        case errors.LimitRequestHeaders():
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        case errors.ParseException():
            return HTTPStatus.BAD_REQUEST
    return HTTPStatus.INTERNAL_SERVER_ERROR


def error_body(status: HTTPStatus) -> bytes:
    # Imports the settings, so the main process, which imports this module, would not reload them on SIGHUP.
    from productive.jsonapi.errors import NEVER_CACHED, error_object
    from productive.jsonapi.renderers import CONTENT_TYPE, dump

    body = dump({"errors": [error_object(status)]})
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": len(body),
        "Connection": "close",
        **NEVER_CACHED,
    }
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {headers[name]}" for name in headers)]
    return "\r\n".join([*lines, "", ""]).encode() + body

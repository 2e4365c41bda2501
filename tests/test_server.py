"""Test the responses of the worker without a server; test_socket_input has them with one."""

from __future__ import annotations

import logging
import socket
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from gunicorn.config import Config
from gunicorn.http import errors

from productive.server import ServerLogger, Worker

pytestmark = pytest.mark.any_database


def respond(error: Exception, request: Any = None, *, is_closed: bool = False) -> tuple[int, str, bytes]:
    """Return the status, the content type and the body of the response."""
    config = Config()
    worker = Worker(0, 0, [], None, 30, config, ServerLogger(config))
    server, client = socket.socketpair()
    with server, client, closing(worker.tmp):
        if is_closed:
            client.close()
        worker.handle_error(request, server, ("192.0.2.1", 1), error)
        server.close()
        response = b"" if is_closed else b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = response.partition(b"\r\n\r\n")
    status, _, headers = head.decode().partition("\r\n")
    types = [line.partition(": ")[2] for line in headers.split("\r\n") if line.startswith("Content-Type")]
    return int(status.split()[1]) if status else 0, "".join(types), body


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.LimitRequestLine(9000, 8190), 414, "uri_too_long"),
        (errors.LimitRequestHeaders("SECRET"), 431, "headers_too_large"),
        (errors.InvalidRequestLine("SECRET"), 400, "malformed_document"),
        (errors.InvalidHeader("SECRET"), 400, "malformed_document"),
        (errors.InvalidResponseHeader("SECRET"), 500, "server_error"),
        (RuntimeError("SECRET"), 500, "server_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_rejected_request_gets_an_error_document(error: Exception, status: int, code: str) -> None:
    answer = respond(error)
    assert answer[:2] == (status, "application/vnd.api+json; charset=utf-8")
    assert [each["code"] for each in orjson.loads(answer[2])["errors"]] == [code]
    assert b"SECRET" not in answer[2]


def test_rejected_request_of_a_known_page_gets_a_page() -> None:
    status, content_type, body = respond(errors.InvalidHeader("SECRET"), SimpleNamespace(path="/admin/"))
    assert (status, content_type) == (400, "text/html")
    assert b"SECRET" not in body


def test_log_does_not_quote_a_rejected_request(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("gunicorn.error")
    logger.propagate = True
    try:
        respond(errors.InvalidHeader("SECRET"))
    finally:
        logger.propagate = False
    assert [record.getMessage() for record in caplog.records] == [
        "Rejected a request from 192.0.2.1: InvalidHeader"
    ]


def test_closed_connection_is_no_error() -> None:
    assert respond(errors.InvalidHeader("SECRET"), is_closed=True) == (0, "", b"")


def test_access_log_is_disabled_without_a_file() -> None:
    config = Config()
    assert ServerLogger(config).access_log_enabled is False
    config.set("accesslog", "-")
    assert ServerLogger(config).access_log_enabled is True

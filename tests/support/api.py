"""Send requests to the WSGI application, and return what a server would send."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection

from productive.wsgi import application

MEDIA_TYPE = "application/vnd.api+json"
CONTENT_TYPE = "application/vnd.api+json; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    # Not in the headers, because it is the only difference between identical responses.
    request_id: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "request_id", self.headers.pop("X-Request-Id", ""))

    @property
    def json(self) -> Any:
        return json_module.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def ids(self) -> list[int]:
        return [int(resource["id"]) for resource in self.data]

    @property
    def error(self) -> dict[str, Any]:
        """Return the only error of the document."""
        (error,) = self.json["errors"]
        return error

    @property
    def invalid(self) -> list[tuple[str, str]]:
        """Return the last part of the pointer and the detail of each error of a 422."""
        assert self.status == 422, self
        return [(e["source"]["pointer"].rpartition("/")[2], e["detail"]) for e in self.json["errors"]]


@dataclass
class Api:
    """A client of /api/v2 with a token. It sends `json` as a JSON:API document."""

    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, json: Any = None, **kwargs: Any) -> Answer:
        return self.request("POST", path, json=json, **kwargs)

    def patch(self, path: str, json: Any = None, **kwargs: Any) -> Answer:
        return self.request("PATCH", path, json=json, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Answer:
        return self.request("DELETE", path, **kwargs)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        if not path.startswith("/"):
            path = f"/api/v2/{path}"
        sent = {**self.headers, **(headers or {})}
        if self.token is not None:
            sent.setdefault("X-Auth-Token", self.token)
        if json is not None:
            body = json_module.dumps(json).encode()
        if body:
            sent.setdefault("Content-Type", MEDIA_TYPE)
        return self.send(method, path, body or b"", sent)

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        target = urlsplit(f"//testserver{path}")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_wsgi(target.path),
            "QUERY_STRING": target.query,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
        }
        if body:
            environ["CONTENT_LENGTH"] = str(len(body))
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        started: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started["status"], started["headers"] = int(status[:3]), dict(headers)

        with keep_connection():
            response = application(environ, start_response)
            try:
                content = b"".join(response)
            finally:
                response.close()
        return Answer(started["status"], started["headers"], content)


@contextmanager
def keep_connection() -> Iterator[None]:
    """Within a test's transaction, don't let the end of the request close its connection."""
    ends = [request_started, request_finished] if connection.in_atomic_block else []
    for signal in ends:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in ends:
            signal.connect(close_old_connections)


@dataclass
class SocketApi(Api):
    """A client that sends requests through a socket, to a server in another process."""

    address: str = ""

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = HTTPConnection(self.address, timeout=120)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


def unquote_to_wsgi(path: str) -> str:
    """Return a path as a WSGI server passes it: bytes, decoded as Latin-1."""
    return unquote_to_bytes(path).decode("latin-1")

"""Test the log line of a request, request IDs, and that requests can't inject lines into the log."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
from collections.abc import Iterator
from io import StringIO
from logging.config import DictConfigurator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from assignments.models import Filter
from catalog.models import ServiceType
from productive.accounts.models import ApiToken, User
from productive.web.logs import JSONFormatter, WithoutRequestData, logging_config, request_id
from productive.web.request_log import REQUEST_ID_HEADER
from tests.support.admin import superuser, url
from tests.support.api import Api, SocketApi
from tests.support.servers import ROOT, empty_environment, gunicorn

pytestmark = pytest.mark.any_database

NEW_ID = re.compile(r"[0-9a-f]{32}")
BROKEN = override_settings(ROOT_URLCONF="tests.jsonapi.test_errors")


class Log:
    def __init__(self) -> None:
        self.stream = StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(JSONFormatter())

    def lines(self, logger: str = "productive.web.request_log") -> list[dict[str, Any]]:
        """Return the parsed lines of a logger."""
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in lines if line["logger"] == logger]


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    logging.getLogger().addHandler(log.handler)
    yield log
    logging.getLogger().removeHandler(log.handler)


def stable(line: dict[str, Any]) -> dict[str, Any]:
    """Check the values that differ each time, and return the line without them."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert NEW_ID.fullmatch(line.pop("request_id"))
    duration, query_ms = line.pop("duration_ms"), line.pop("query_ms")
    assert 0 < duration < 60_000
    assert 0 <= query_ms <= duration
    assert line.pop("message") == f"{line['method']} {line['path']}: {line['status']} in {duration} ms"
    return line


@pytest.mark.django_db
def test_line_describes_the_request(api: Api, token: ApiToken, log: Log) -> None:
    api.get("people?filter[query]=confidential")
    (line,) = log.lines()
    assert stable(line) == {
        "level": "INFO",
        "logger": "productive.web.request_log",
        "method": "GET",
        "path": "/api/v2/people",
        "status": 200,
        "queries": 2,  # the token, the page
        "organization": token.organization_id,
        "token": token.prefix,
        "user": token.user_id,
        "address": "127.0.0.1",
        "change_set": None,
    }
    assert "confidential" not in log.stream.getvalue()


@pytest.mark.django_db
def test_line_of_an_unauthenticated_request_has_no_user(log: Log) -> None:
    Api("unknown").get("people")
    line = stable(*log.lines())
    assert [line[name] for name in ("status", "organization", "token", "user")] == [401, None, None, None]


@pytest.mark.django_db
def test_line_names_the_change_set_of_the_request(api: Api, log: Log) -> None:
    api.post("filters", {"data": {"type": "filters", "attributes": {"name": "Mine"}}})
    (line,) = log.lines()
    assert line["change_set"] == str(Filter.objects.get().history.get().change_set)


@pytest.mark.django_db
def test_line_of_the_admin_names_the_user(log: Log) -> None:
    superuser().get(url(User, "changelist"))
    Client().get("/admin/")
    Api().get("/static/productive/admin.css")
    lines = log.lines()
    assert [(line["status"], line["user"]) for line in lines] == [
        (200, User.objects.get().pk),
        (302, None),
        (200, None),
    ]
    assert [line["queries"] > 0 for line in lines] == [True, False, False]


@pytest.mark.django_db
@BROKEN
@pytest.mark.parametrize(
    ("path", "status", "logger"),
    [
        ("RuntimeError", 500, "productive.jsonapi.errors"),
        ("OperationalError", 503, "productive.jsonapi.errors"),
        ("broken", 500, "django.request"),
        ("/broken", 500, "django.request"),
    ],
)
def test_failure_has_the_request_id_of_the_response(
    path: str, status: int, logger: str, api: Api, log: Log
) -> None:
    answer = api.get(path)
    (failure,), (line,) = log.lines(logger), log.lines()
    assert (answer.status, line["status"], line["level"], failure["level"]) == (
        status,
        status,
        *["ERROR"] * 2,
    )
    assert {failure["request_id"], line["request_id"]} == {answer.request_id}
    assert failure["traceback"].startswith("Traceback (most recent call last):\n")
    assert (answer.request_id.encode() in answer.body) is (path == "/broken")


@pytest.mark.django_db
def test_rejected_request_has_one_line(api: Api, log: Log) -> None:
    for path, status in (("people?sort=x", 400), ("people/0", 404), ("nothing", 404), ("/nothing", 404)):
        assert api.get(path).status == status
    assert [line["status"] for line in log.lines()] == [400, 404, 404, 404]
    assert len(log.stream.getvalue().splitlines()) == 4


@pytest.mark.django_db
def test_every_response_has_a_unique_request_id(api: Api) -> None:
    paths = [
        "people",
        "nothing",
        "people/0",
        "/",
        "/admin/",
        "/nothing",
        "/healthz",
        "/static/productive/admin.css",
    ]
    answers = [api.get(path) for path in paths]
    answers += [api.get("people", headers={"Host": "evil.example"}), api.post("people"), Api().get("people")]
    ids = [answer.request_id for answer in answers]
    assert [id_ for id_ in ids if not NEW_ID.fullmatch(id_)] == []
    assert len({*ids}) == len(ids)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ("from-the.proxy_1", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("", False),
        ("one,two", False),
        ("one\n", False),
        ("ž", False),
        ('"}', False),
    ],
)
def test_valid_request_id_of_a_trusted_proxy_is_kept(given: str, is_kept: bool, api: Api) -> None:
    def returned_id() -> str:
        return api.get("people/0", headers={REQUEST_ID_HEADER: given}).request_id

    with override_settings(TRUST_PROXY=True):
        assert (returned_id() == given) is is_kept
    assert NEW_ID.fullmatch(returned_id())


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/x%0A%7B%22level%22%3A%22INFO%22%7D", "/x%0D%0A", "/x%E2%80%A8y", "/x%ED%A0%80", "/x%1B"]
)
def test_path_starts_no_new_line(path: str, api: Api, log: Log, caplog: Any) -> None:
    assert api.get(path).status == 404
    assert len(log.stream.getvalue().splitlines()) == len(log.lines()) == 1
    assert [len(record.getMessage().splitlines()) for record in caplog.records] == [1]


def test_formatter_encodes_any_value() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s", ("\ud800\n\u2028\x00",), None)
    record.fields = {"object": object}
    (line,) = JSONFormatter().format(record).splitlines()
    assert json.loads(line)["message"] == "\ud800\n\u2028\x00"


@pytest.mark.django_db
def test_there_is_no_request_id_outside_of_requests(api: Api) -> None:
    api.get("people")
    assert request_id.get() is None


SECRET = "SECRET\n2026-11-28 05:00:00,000 ERROR x: forged\r\u2028\x1b[2J"
AUTOCOMPLETE = {"app_label": SECRET, "model_name": SECRET, "field_name": SECRET, "term": ""}
# Path, query, form and headers of requests that the admin rejects.
REJECTED: dict[str, tuple[str, dict[str, str], Any, dict[str, str]]] = {
    "lookup": (url(ServiceType, "changelist"), {SECRET: "1"}, None, {}),
    "lookup of a filter": (url(ServiceType, "changelist"), {f"archived__{SECRET}": SECRET}, None, {}),
    "field": (url(ServiceType, "changelist"), {"_to_field": SECRET}, None, {}),
    "autocomplete": (reverse("admin:autocomplete"), AUTOCOMPLETE, None, {}),
    "host": ("/admin/", {"x": SECRET}, None, {"Host": "secret.example"}),
    "CSRF": (url(ServiceType, "add"), {"x": SECRET}, {"x": SECRET}, {"Origin": "https://secret.example"}),
    "form fields": (url(ServiceType, "add"), {}, {f"SECRET{n}": "" for n in range(1100)}, {}),
    "upload": (url(ServiceType, "add"), {}, SECRET, {"Content-Type": "multipart/form-data; boundary="}),
    "method": (reverse("admin:logout"), {"x": SECRET}, None, {}),
    "page": (f"/admin/{quote(SECRET)}/", {"x": SECRET}, None, {}),
}


@pytest.mark.django_db
@pytest.mark.parametrize("why", REJECTED)
def test_rejected_request_of_the_admin_has_one_line_without_its_data(why: str, log: Log) -> None:
    path, query, form, headers = REJECTED[why]
    client = superuser()
    client.handler.enforce_csrf_checks = why == "CSRF"
    content_type = {"content_type": headers["Content-Type"]} if "Content-Type" in headers else {}
    log.stream.truncate(log.stream.seek(0))
    if form is None:
        response = client.get(path, query, headers=headers)
    else:
        response = client.post(path, form, query_params=query, headers=headers, **content_type)
    assert 400 <= response.status_code < 500
    (line,) = log.stream.getvalue().splitlines()
    parsed = json.loads(line)
    assert (parsed["level"], parsed["status"]) == ("INFO", response.status_code)
    assert ("SECRET" in line, "secret" in line) == (why == "page", False)


@pytest.mark.django_db
@BROKEN
def test_text_line_can_not_be_forged(api: Api, log: Log) -> None:
    log.handler.setFormatter(text_formatter())
    client = superuser()
    client.get(f"/admin/{quote(SECRET)}", {SECRET: "1"})
    api.get("broken?x=" + quote(SECRET))
    for level in (logging.INFO, logging.ERROR):
        try:
            raise ValueError(SECRET)
        except ValueError:
            logging.getLogger("a.b").log(level, "Said %s", SECRET, exc_info=True)
    lines = log.stream.getvalue().split("\n")
    assert lines.pop() == ""
    assert [line for line in lines if not re.fullmatch(r"[ -~]+", line)] == []
    begin = re.compile(r"[\d-]{10} [\d:,]{12} (INFO|ERROR) [\w.]+: |    ")
    assert [line for line in lines if not begin.match(line)] == []
    assert [line for line in lines if line.startswith("2026-11-28 05:00:00,000")] == []
    assert next(line for line in lines if " a.b: " in line).endswith(
        r"INFO a.b: Said SECRET\n2026-11-28 05:00:00,000 ERROR x: forged\r\u2028\x1b[2J"
    )
    assert "    Traceback (most recent call last):" in lines


def text_formatter() -> logging.Formatter:
    configurator = DictConfigurator(logging_config("text", "INFO"))
    formatter: logging.Formatter = configurator.configure_formatter(configurator.config["formatters"]["text"])
    return formatter


def test_text_format() -> None:
    line = text_formatter().format(logging.LogRecord("a.b", logging.INFO, "", 0, "Said", (), None))
    assert re.fullmatch(r"[\d-]{10} [\d:,]{12} INFO a\.b: Said", line)


@pytest.mark.parametrize(
    ("message", "args", "logged"),
    [
        ("Error handling request %s %s", ("GET", "/x?SECRET=1"), "Error handling request GET /x"),
        ("Error handling request %s", ("/x",), "Error handling request /x"),
        ("Listening at: %s", ("http://127.0.0.1?x",), "Listening at: http://127.0.0.1?x"),
    ],
)
def test_server_quotes_no_request(message: str, args: tuple[Any, ...], logged: str) -> None:
    record = logging.LogRecord("gunicorn.error", logging.ERROR, "", 0, message, args, None)
    assert WithoutRequestData().filter(record)
    assert record.getMessage() == logged
    debug = logging.LogRecord(
        "gunicorn.error", logging.DEBUG, "", 0, "No more data after: %r", (b"SECRET",), None
    )
    assert not WithoutRequestData().filter(debug)


MALFORMED = [
    b"GET /x?SECRET HTTP/1.1 SECRET\r\n\r\n",
    b"GET /x?SECRET HTTP/SECRET\r\nHost: 127.0.0.1\r\n\r\n",
    b"SEC(RET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nSECRET : 1\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nX: SECRET\x01\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nX: 1\r\n SECRET\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: SECRET\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: SECRET\r\n\r\n",
    b"POST /x?SECRET HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\n\r\n",
    b"GET /x?" + b"SECRET" * 2000 + b" HTTP/1.1\r\n\r\n",
    b"GET /\xe2\x80\xa8SECRET\x1b HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_server_logs_no_malformed_request(tmp_path: Path, log_format: str) -> None:
    log = tmp_path / "log"
    variables = {
        **empty_environment(tmp_path),
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "false",
        "LOG_FORMAT": log_format,
        "GUNICORN_CMD_ARGS": "--log-level debug",
    }
    with gunicorn(variables, log) as server:
        for request in MALFORMED:
            with socket.create_connection(server.address) as connection:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
    logged = log.read_text()
    assert logged.count("Rejected a request from 127.0.0.1: Invalid") >= 5
    assert "SECRET" not in logged
    assert "Traceback" not in logged


def test_server_logs_like_the_application_and_survives_without_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    variables = {**empty_environment(tmp_path), "ALLOWED_HOSTS": "127.0.0.1", "HTTPS": "false"}
    with gunicorn(variables, log) as server:
        api = SocketApi(address=server.netloc)
        answer = api.get("nothing")
        rejected = api.get("nothing", headers={"X-Auth-Token": "prd_secret\x01"})
        for sent in (b"GET /prd_secret\r\n\r\n", b"GET / HTTP/1.1\r\nprd_secret: 1\r\n x: y\r\n\r\n"):
            with socket.create_connection(server.address) as connection:
                connection.sendall(sent)
                assert connection.recv(12) == b"HTTP/1.1 400"
        logged = os.read(reader, 100_000).decode()
        os.close(reader)
        assert [api.get("nothing").status for _ in range(3)] == [404] * 3
    lines = [json.loads(line) for line in logged.splitlines()]
    assert (answer.status, rejected.status, "secret" in logged) == (404, 400, False)
    assert {line["logger"] for line in lines} == {"gunicorn.error", "productive.web.request_log"}
    assert [line["request_id"] for line in lines if line["request_id"]] == [answer.request_id]
    # No version.
    assert answer.headers["Server"] == "gunicorn"


def test_documented_fields_are_complete(db: None, api: Api, log: Log) -> None:
    api.get("people")
    (line,) = log.lines()
    text = (ROOT / "docs/operating.md").read_text()
    table = text[text.index("| field |") :].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*line, "traceback"]

"""Test raw bytes that are sent to a server through a socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse

import pytest
from django.conf import settings

from catalog.models import ServiceType
from tests.support.admin import superuser, url
from tests.support.api import CONTENT_TYPE, MEDIA_TYPE, Answer, SocketApi
from tests.support.factories import ApiTokenFactory, ServiceTypeFactory

pytestmark = [pytest.mark.any_database, pytest.mark.no_cover]

SECRET = "the-secret-of-the-socket-client"
DOCUMENT = json.dumps({"data": {"type": "service_types", "attributes": {"name": "Design"}}}).encode()
TOKEN = f"X-Auth-Token: {SECRET}"
SECONDS = 60


@pytest.fixture
def client(socket_api: SocketApi) -> SocketApi:
    ApiTokenFactory(name=SECRET, organization__id=900_001)
    return socket_api


@contextmanager
def connection_to(client: SocketApi) -> Iterator[socket.socket]:
    host, port = client.address.split(":")
    with socket.create_connection((host, int(port)), SECONDS) as connection:
        yield connection


def response_on(connection: socket.socket, method: str = "GET") -> Answer:
    """Return the next response, or raise TimeoutError."""
    http_response = HTTPResponse(connection, method=method)
    http_response.begin()
    return Answer(http_response.status, dict(http_response.getheaders()), http_response.read())


def head(request_line: str, *headers: str, host: str | None = "localhost") -> bytes:
    lines = [f"{request_line} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def exchange(client: SocketApi, request: bytes, method: str = "GET") -> Answer:
    with connection_to(client) as connection:
        connection.sendall(request)
        return response_on(connection, method)


def get(client: SocketApi, path: str, *headers: str, host: str = "localhost") -> Answer:
    return exchange(client, head(f"GET /api/v2/{path}", *headers, host=host))


def post_head(*headers: str, path: str = "service_types") -> bytes:
    return head(f"POST /api/v2/{path}", TOKEN, *headers)


def error_of(response: Answer) -> tuple[int, str]:
    """Return the status and code of an error document."""
    assert response.headers["Content-Type"] == CONTENT_TYPE
    assert response.error["status"] == str(response.status)
    return response.status, response.error["code"]


def assert_alive(client: SocketApi) -> None:
    assert get(client, "service_types", TOKEN).status == 200


# --- Headers --------------------------------------------------------------------------------------


def test_request_with_only_a_token_is_served(client: SocketApi) -> None:
    assert get(client, "service_types", TOKEN, "X-Organization-Id: 900001").ids == []


def test_repeated_organization_is_rejected(client: SocketApi) -> None:
    for second in ("900001", "1", ""):
        headers = ("X-Organization-Id: 900001", f"X-Organization-Id: {second}")
        assert error_of(get(client, "people", TOKEN, *headers)) == (403, "access_denied")


def test_repeated_token_is_rejected(client: SocketApi) -> None:
    assert error_of(get(client, "people", TOKEN, TOKEN)) == (401, "unauthenticated")


def test_token_header_with_underscores_is_ignored(client: SocketApi) -> None:
    for name in ("X_Auth_Token", "X-Auth_Token", "X_AUTH_TOKEN", "HTTP_X_AUTH_TOKEN"):
        assert error_of(get(client, "people", f"{name}: {SECRET}")) == (401, "unauthenticated")


def test_organization_header_with_underscores_is_ignored(client: SocketApi) -> None:
    assert get(client, "people", TOKEN, "X-Organization-Id: 900001", "X_Organization_Id: 1").status == 200


def test_invalid_token_is_rejected(client: SocketApi) -> None:
    for value in ("\xe9", "\xff\xfe", "s\xc3\xa9cret", "x" * 8_000):
        assert error_of(get(client, "people", f"X-Auth-Token: {value}")) == (401, "unauthenticated")


def test_invalid_host_is_rejected(client: SocketApi) -> None:
    for host in ("evil.example", "localhost:x", "a_b", "[::1", "localhost,evil.example", "\xff", ""):
        assert error_of(get(client, "people", TOKEN, host=host)) == (400, "malformed_document")


def test_invalid_host_is_rejected_on_unknown_routes(client: SocketApi) -> None:
    assert error_of(get(client, "nothing", TOKEN, host="evil.example")) == (400, "malformed_document")


def test_forwarded_host_is_not_in_links(client: SocketApi) -> None:
    response = get(client, "people", TOKEN, "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example")
    assert response.json["links"]["first"].startswith("http://localhost/api/v2/people?")


INVALID_HEADERS = [
    "Expect: 100-continue",
    "Accept: \xff;q=x,,/",
    "Accept-Language: \xff",
    "Content-Type: \xff; charset=rot13",
    "Cookie: sessionid=\"\\000\"; \xff; =; csrftoken=\xff",
    "If-Modified-Since: \xff",
    "Range: bytes=9-1",
    "X-Anything: " + "x" * 8_000,
    "Upgrade: h2c",
]  # fmt: skip


def test_invalid_headers_are_ignored(client: SocketApi) -> None:
    for header in INVALID_HEADERS:
        response = get(client, "service_types", TOKEN, header)
        assert (response.status, response.headers["Content-Type"]) == (200, CONTENT_TYPE)
        assert "Set-Cookie" not in response.headers


def test_many_headers_are_ignored(client: SocketApi) -> None:
    assert get(client, "people", TOKEN, *(f"X-Header-{n}: {n}" for n in range(90))).status == 200


INVALID_CHARSETS = [
    f"{MEDIA_TYPE}; charset=rot13",
    f"{MEDIA_TYPE}; charset=hex",
    f"{MEDIA_TYPE}; charset=undefined",
    f"{MEDIA_TYPE}; charset*=rot13''x",
    f"{MEDIA_TYPE}; charset=\xff",
    "\xff",
]


def test_other_charsets_are_rejected(client: SocketApi) -> None:
    for content_type in INVALID_CHARSETS:
        headers = (f"Content-Type: {content_type}", f"Content-Length: {len(DOCUMENT)}")
        response = exchange(client, post_head(*headers, path="service_types?a=b") + DOCUMENT)
        assert error_of(response) == (415, "unsupported_media_type")


# --- Paths and methods ----------------------------------------------------------------------------


def test_head_has_no_body(client: SocketApi) -> None:
    ServiceTypeFactory(organization_id=900_001)
    with connection_to(client) as connection:
        connection.sendall(head("HEAD /api/v2/service_types", TOKEN))
        response = response_on(connection, "HEAD")
        # If there were a body, the next response would begin with it.
        connection.sendall(head("GET /api/v2/service_types", TOKEN))
        second = response_on(connection)
    assert (response.status, response.headers["Content-Type"], response.body) == (200, CONTENT_TYPE, b"")
    assert response.headers["Content-Length"] == str(len(second.body))


def test_unknown_methods_are_rejected(client: SocketApi) -> None:
    for method in ("PUT", "TRACE", "OPTIONS", "FOO"):
        response = exchange(client, head(f"{method} /api/v2/people", TOKEN))
        assert error_of(response) == (405, "method_not_allowed")


def test_path_with_invalid_characters_is_not_found(client: SocketApi) -> None:
    for path in ("%FF", "%00", "people%0A", "people/%EF%BC%91", "..", "../../etc/passwd", "people/1;x"):
        assert error_of(get(client, path, TOKEN)) == (404, "record_not_found")


def test_thousands_of_ids_are_served(client: SocketApi) -> None:
    service_type = ServiceTypeFactory(organization_id=900_001, id=1)
    ids = ",".join(map(str, range(1, 1_800)))
    assert 7_800 < len(ids) < 8_000
    assert get(client, f"service_types?filter[id]={ids}", TOKEN).ids == [service_type.pk]


def test_query_string_that_is_not_utf8_is_rejected(client: SocketApi) -> None:
    assert error_of(get(client, "people?filter[id]=%FF", TOKEN)) == (400, "unsupported_filter_value")


# --- Bodies ---------------------------------------------------------------------------------------


def test_chunked_body_is_served(client: SocketApi) -> None:
    for size in (1, 7, 1_000):
        request = post_head(f"Content-Type: {MEDIA_TYPE}", "Transfer-Encoding: chunked")
        assert exchange(client, request + chunked(DOCUMENT, size)).status == 201
    assert [*ServiceType.objects.values_list("name")] == [("Design",)] * 3


def chunked(body: bytes, size: int = 50_000) -> bytes:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_chunked_body_over_the_limit_is_rejected(client: SocketApi) -> None:
    for size in (1_000_001, 1_500_000, 5_000_000):
        request = post_head(f"Content-Type: {MEDIA_TYPE}", "Transfer-Encoding: chunked")
        response = exchange(client, request + chunked(DOCUMENT.ljust(size)))
        assert error_of(response) == (413, "payload_too_large")
        assert_alive(client)
    assert ServiceType.objects.count() == 0


def test_chunked_body_of_the_maximum_size_is_served(client: SocketApi) -> None:
    request = post_head(f"Content-Type: {MEDIA_TYPE}", "Transfer-Encoding: chunked")
    assert exchange(client, request + chunked(DOCUMENT.ljust(1_000_000))).status == 201


def test_chunked_upload_to_the_admin_is_complete(client: SocketApi) -> None:
    """The limit of the API doesn't apply, but that of all uploads."""
    session = superuser().cookies[settings.SESSION_COOKIE_NAME].value
    cookies = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={'x' * 32}"
    start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="file.csv"\r\n\r\nName,Description'
    headers = (
        f"Cookie: {cookies}",
        f"X-CSRFToken: {'x' * 32}",
        "Content-Type: multipart/form-data; boundary=x",
        "Transfer-Encoding: chunked",
    )
    # The preview shows 300 rows.
    for kilobytes, status, shown in (
        (2_000, 200, b"and 1,700 more"),
        (6_000, 200, b"The file is larger than 5 MB."),
        (21_000, 400, b""),
    ):
        rows = (b"Name %d,%s" % (n, b"x" * 1_000) for n in range(kilobytes))
        body = b"\r\n".join([start, *rows, b"--x--\r\n"])
        response = exchange(client, head(f"POST {url(ServiceType, 'import')}", *headers) + chunked(body))
        assert (response.status, shown in response.body) == (status, True), kilobytes


def test_invalid_chunks_do_not_stop_the_server(client: SocketApi) -> None:
    request = post_head(f"Content-Type: {MEDIA_TYPE}", "Transfer-Encoding: chunked") + b"zz\r\n" + DOCUMENT
    assert error_of(exchange(client, request)) == (400, "malformed_document")
    assert_alive(client)
    assert ServiceType.objects.count() == 0


def test_expect_header_gets_100_continue(client: SocketApi) -> None:
    headers = (f"Content-Type: {MEDIA_TYPE}", f"Content-Length: {len(DOCUMENT)}", "Expect: 100-continue")
    with connection_to(client) as connection:
        connection.sendall(post_head(*headers))
        assert connection.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(DOCUMENT)
        assert response_on(connection).status == 201


def test_body_over_the_limit_is_rejected(client: SocketApi) -> None:
    for size in (1_000_001, 1_500_000, 5_000_000):
        headers = (f"Content-Type: {MEDIA_TYPE}", f"Content-Length: {size}")
        response = exchange(client, post_head(*headers) + DOCUMENT.ljust(size))
        assert error_of(response) == (413, "payload_too_large")
        assert_alive(client)
    assert ServiceType.objects.count() == 0


def test_body_over_the_limit_is_not_read_as_another_request(client: SocketApi) -> None:
    """The rest of the body is discarded."""
    size = 1_200_000
    smuggled = head("DELETE /api/v2/service_types/900021", TOKEN)
    ServiceTypeFactory(organization_id=900_001, id=900_021)
    headers = (f"Content-Type: {MEDIA_TYPE}", f"Content-Length: {size}")
    with connection_to(client) as connection:
        connection.sendall(post_head(*headers) + b" " * 1_000_100 + smuggled * 100)
        connection.sendall(b" " * (size - 1_000_100 - len(smuggled) * 100))
        assert error_of(response_on(connection)) == (413, "payload_too_large")
    assert_alive(client)
    assert ServiceType.objects.count() == 1


def test_incomplete_body_is_rejected(client: SocketApi) -> None:
    """Even if it is a complete document, as Content-Length is higher."""
    headers = (f"Content-Type: {MEDIA_TYPE}", f"Content-Length: {len(DOCUMENT) + 1}")
    for sent in (b"", DOCUMENT[:20], DOCUMENT):
        with connection_to(client) as connection:
            connection.sendall(post_head(*headers) + sent)
            connection.shutdown(socket.SHUT_WR)
            assert error_of(response_on(connection)) == (400, "malformed_document")
        assert_alive(client)
    assert ServiceType.objects.count() == 0


def test_aborted_connections_do_not_stop_the_server(client: SocketApi) -> None:
    headers = (f"Content-Type: {MEDIA_TYPE}", f"Content-Length: {len(DOCUMENT)}")
    whole = post_head(*headers) + DOCUMENT
    for length in range(0, len(whole), 20):
        with connection_to(client) as connection:
            connection.sendall(whole[:length])
    assert_alive(client)
    assert ServiceType.objects.count() == 0


def test_idle_connections_do_not_stop_the_server(client: SocketApi) -> None:
    headers = (f"Content-Type: {MEDIA_TYPE}", f"Content-Length: {len(DOCUMENT)}")
    with connection_to(client) as first, connection_to(client) as second:
        first.sendall(post_head(*headers) + DOCUMENT[:5])
        second.sendall(b"GET /api/v2/peo")
        assert_alive(client)
        first.sendall(DOCUMENT[5:])
        assert response_on(first).status == 201


# gunicorn rejects these before the application runs.
REJECTED = {
    b"GET\r\n\r\n": 400,
    b"get /api/v2/people HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"GET /api/v2/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"GET /api/v2/people?a=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"GET /api/v2/people?a=b c HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"GET api/v2/people HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"GET /api/v2/people\nHost: localhost\r\n\r\n": 400,
    b"GET /api/v2/people HTTP/1.1\r\nHost: localhost\n\n": 400,
    b"GET /api/v2/people HTTP/9.9\r\n\r\n": 400,
    head("GET /api/v2/people", "A b: c"): 400,
    head("GET /api/v2/people", "no colon"): 400,
    head("GET /api/v2/people", "A: b", " folded: c"): 400,
    head("GET /api/v2/people", "X-Auth-Token: \x00"): 400,
    head("GET /api/v2/people", "Expect: x"): 400,
    post_head("Content-Length: -1"): 400,
    post_head("Content-Length: 1", "Content-Length: 2"): 400,
    post_head("Content-Length: 1", "Transfer-Encoding: chunked"): 400,
    post_head("Transfer-Encoding: gzip"): 400,
    post_head("Transfer-Encoding: chunked") + b"zz\r\n": 400,
    post_head("Transfer-Encoding: chunked") + b"1\r\n{}\r\n": 400,
    head(f"GET /api/v2/people?a={'x' * 8_190}"): 414,
    head(f"GET /api/v2/people?a={'x' * 60_000}"): 414,
    b"GET /api/v2/" + b"x" * 60_000: 414,
    head(f"{'X' * 60_000} /api/v2/people"): 414,
    head("GET /api/v2/people", f"X-Anything: {'x' * 8_190}"): 431,
    head("GET /api/v2/people", f"X-Anything: {'x' * 60_000}"): 431,
    head("GET /api/v2/people", *(f"X-Header-{n}: {n}" for n in range(101))): 431,
}
CODES = {400: "malformed_document", 414: "uri_too_long", 431: "headers_too_large"}


def test_requests_that_the_server_rejects_get_an_error_document(client: SocketApi) -> None:
    for sent, status in REJECTED.items():
        response = exchange(client, sent)
        assert error_of(response) == (status, CODES[status]), sent[:60]
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Connection"] == "close"
    assert_alive(client)


def test_rejected_requests_of_other_pages_get_a_page(client: SocketApi) -> None:
    """Only if the path is known."""
    request = head("POST /admin/login/", "Transfer-Encoding: chunked") + b"zz\r\n"
    response = exchange(client, request)
    assert (response.status, response.headers["Content-Type"]) == (400, "text/html")


def test_incomplete_requests_do_not_stop_the_server(client: SocketApi) -> None:
    for sent in (b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET /api/v2/peo", b""):
        with connection_to(client) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            status = connection.makefile("rb").readline().split()[1:2]
        assert status in ([], [b"400"])
        assert_alive(client)


def test_cookie_with_nul_is_ignored(client: SocketApi) -> None:
    response = client.request("GET", "/admin/", headers={"Cookie": 'sessionid="\\000abcdefghijk"'})
    assert (response.status, response.headers["Location"]) == (302, "/admin/login/?next=/admin/")

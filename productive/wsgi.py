"""The WSGI application, protected against invalid headers."""

import os
from tempfile import SpooledTemporaryFile
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "productive.settings")


class Request(WSGIRequest):
    """A request that ignores the charset of its Content-Type.

    Django decodes the query string with this charset before any middleware runs, so `rot13` would raise an
    exception outside of all error handlers. The API's parser checks the charset and returns 415.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except (LookupError, ValueError):  # A parameter has an unknown encoding.
            meta["CONTENT_TYPE"] = "invalid"
            self.content_type, self.content_params = "invalid", {}


class Application(WSGIHandler):
    request_class = Request

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        # The API uses no cookies, and a response to a malformed one would set a new one. Elsewhere, Django
        # decodes \000 to NUL, which PostgreSQL rejects when Django looks up the session.
        if is_api(environ) or "\\000" in environ.get("HTTP_COOKIE", ""):
            environ.pop("HTTP_COOKIE", None)
        if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            read_chunked_body(environ)
        return super().__call__(environ, start_response)


def is_api(environ: dict[str, Any]) -> bool:
    path: str = environ.get("PATH_INFO", "")
    return path.startswith("/api/")


def read_chunked_body(environ: dict[str, Any]) -> None:
    """Read a chunked body and set its CONTENT_LENGTH, which Django requires.

    Keep at most one byte more than the limit of the path: a longer body is rejected anyway. Read more of it,
    but not all, because a client that is still sending would get a connection reset instead of the response.
    """
    # The settings are set up by now.
    from django.conf import settings

    from productive.admin.spreadsheets.uploads import MAX_UPLOAD_BYTES
    from productive.jsonapi.parsers import DISCARDED_AT_ONCE, MAX_DISCARDED

    limit = settings.API_MAX_BODY_BYTES if is_api(environ) else MAX_UPLOAD_BYTES
    chunks, length = environ["wsgi.input"], 0
    body = SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115, it lives as long as the request
    while length < limit + MAX_DISCARDED and (data := chunks.read(DISCARDED_AT_ONCE)):
        body.write(data[: max(0, limit + 1 - length)])
        length += len(data)
    body.seek(0)
    environ["wsgi.input"] = body
    environ["CONTENT_LENGTH"] = str(min(length, limit + 1))


def get_application() -> Application:
    import django

    django.setup(set_prefix=False)
    return Application()


application = get_application()

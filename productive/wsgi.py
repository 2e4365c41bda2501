"""The WSGI application, protected against invalid headers."""

import os
from io import BytesIO
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
        if environ.get("PATH_INFO", "").startswith("/api/") or "\\000" in environ.get("HTTP_COOKIE", ""):
            environ.pop("HTTP_COOKIE", None)
        if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            read_chunked_body(environ)
        return super().__call__(environ, start_response)


def read_chunked_body(environ: dict[str, Any]) -> None:
    """Read a chunked body and set its CONTENT_LENGTH, which Django requires.

    Stop at one byte more than API_MAX_BODY_BYTES: the API rejects any longer body.
    """
    from django.conf import settings

    body = environ["wsgi.input"].read(settings.API_MAX_BODY_BYTES + 1)
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def get_application() -> Application:
    import django

    django.setup(set_prefix=False)
    return Application()


application = get_application()

"""The WSGI entry point: Django's own, with requests that a hostile header can't break before any view."""

import os
from io import BytesIO
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "productive.settings")


class Request(WSGIRequest):
    """A request whose text is UTF-8, whatever its Content-Type claims.

    Django decodes the query string with the charset that the client names, before the first middleware
    runs: `rot13` there ends in a bare 500. The API's parser looks at the charset itself and answers 415.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except (LookupError, ValueError):  # an encoded parameter in an encoding that doesn't exist
            meta["CONTENT_TYPE"] = "invalid"
            self.content_type, self.content_params = "invalid", {}


class Application(WSGIHandler):
    request_class = Request

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        # The API knows tokens alone: read, a malformed cookie would be answered with a new one. And Django
        # reads \000 as the NUL that PostgreSQL refuses in the session's look-up.
        if environ.get("PATH_INFO", "").startswith("/api/") or "\\000" in environ.get("HTTP_COOKIE", ""):
            environ.pop("HTTP_COOKIE", None)
        if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            read_chunked_body(environ)
        return super().__call__(environ, start_response)


def read_chunked_body(environ: dict[str, Any]) -> None:
    """Give a body that came in chunks the length that Django goes by; one byte over the limit is enough."""
    from django.conf import settings

    body = environ["wsgi.input"].read(settings.API_MAX_BODY_BYTES + 1)
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def get_application() -> Application:
    import django

    django.setup(set_prefix=False)
    return Application()


application = get_application()

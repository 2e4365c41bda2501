"""Set the Content-Security-Policy header of every response."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

DENY_ALL = "default-src 'none'; frame-ancestors 'none'"
# Nothing is loaded from other hosts. The icons in style sheets are data URLs.
OWN_FILES = f"{DENY_ALL}; base-uri 'none'; img-src 'self' data:; connect-src 'self'"
# Inline scripts don't run, but the theme evaluates expressions in attributes (Alpine), and sets colors in a
# <style>.
ADMIN = (
    f"{OWN_FILES}; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; font-src 'self';"
    " form-action 'self'"
)
SWAGGER_UI = f"{OWN_FILES}; script-src 'self'; style-src 'self'; form-action 'none'"


class ContentSecurityPolicyMiddleware:
    """Let the admin load its own files, and other responses nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        policy = ADMIN if request.path.startswith("/admin/") else DENY_ALL
        response.headers.setdefault("Content-Security-Policy", policy)
        return response

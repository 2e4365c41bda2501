"""Set the Content-Security-Policy header of every response."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

DENY_ALL = "default-src 'none'; frame-ancestors 'none'"
# The theme evaluates expressions in attributes (Alpine), and sets colors in a <style>. Inline scripts don't
# run, and nothing is loaded from other hosts.
ADMIN = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


class ContentSecurityPolicyMiddleware:
    """Let the admin load its own files, and other responses nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        policy = ADMIN if request.path.startswith("/admin/") else DENY_ALL
        response.headers.setdefault("Content-Security-Policy", policy)
        return response
